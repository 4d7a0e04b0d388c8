#include "frontend/dockerfile/arguments.h"

#include "absl/strings/str_cat.h"

namespace lamina::frontend {

using grammar::Statement;

SourceRange ArgumentRange(const Statement& statement) {
  return statement.text.text.empty() ? statement.keyword_word.range
                                     : statement.text.range;
}

void CheckOneText(const Statement& statement, Diagnostics& diagnostics) {
  if (statement.text.text.empty()) {
    diagnostics.Error(
        "bad-arguments", ArgumentRange(statement),
        absl::StrCat(statement.keyword,
                     " requires exactly one argument; write it behind ",
                     statement.keyword));
  }
}

std::vector<std::string> WordTexts(const std::vector<grammar::Word>& words) {
  std::vector<std::string> texts;
  for (const grammar::Word& word : words) {
    texts.push_back(word.text);
  }
  return texts;
}

void DescribeText(const Statement& statement, Json& object) {
  object.Set("value", statement.text.text);
}

void DescribePairs(const Statement& statement, Json& object) {
  Json pairs = Json::Array();
  for (const grammar::KeyValue& pair : statement.pairs) {
    Json entry = Json::Array();
    entry.Append(pair.key.text);
    entry.Append(pair.value.has_value() ? Json(pair.value->text) : Json());
    pairs.Append(std::move(entry));
  }
  object.Set(statement.keyword == "ARG" ? "args" : "pairs", std::move(pairs));
}

std::optional<std::vector<std::pair<std::string, std::string>>> ExpandPairs(
    const Statement& statement, Stage& stage) {
  std::vector<std::pair<std::string, std::string>> pairs;
  bool complete = true;
  for (const grammar::KeyValue& pair : statement.pairs) {
    std::optional<std::string> key = stage.Expand(pair.key);
    std::optional<std::string> value =
        pair.value.has_value() ? stage.Expand(*pair.value) : "";
    if (!key.has_value() || !value.has_value()) {
      complete = false;
    } else if (key->empty()) {
      complete = false;
      stage.ValueError(
          "bad-arguments", pair.key.range,
          absl::StrCat(statement.keyword,
                       " names can not be blank; write a name before `=`"));
    } else {
      pairs.emplace_back(*std::move(key), *std::move(value));
    }
  }
  return complete ? std::optional(std::move(pairs)) : std::nullopt;
}

void DescribeCommand(const Statement& statement, Json& object) {
  object.Set("form", statement.json ? "exec" : "shell");
  if (statement.json) {
    object.Set("command", Json::Strings(WordTexts(statement.words)));
    return;
  }
  std::vector<std::string> command;
  if (!statement.text.text.empty()) {
    command.push_back(statement.text.text);
  }
  object.Set("command", Json::Strings(command));
}

std::vector<std::string> CommandArgs(const Statement& statement,
                                     absl::string_view text,
                                     const ir::ImageConfig& config) {
  if (statement.json) {
    return WordTexts(statement.words);
  }
  std::vector<std::string> args = config.shell;
  if (args.empty()) {
    args = {"/bin/sh", "-c"};
  }
  args.emplace_back(text);
  return args;
}

}  // namespace lamina::frontend
