#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

// The words as the list that was meant: quotes, brackets and commas dropped.
std::string AsJson(absl::string_view text) {
  std::vector<std::string> words;
  for (absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \t[],'\""), absl::SkipEmpty())) {
    words.push_back(PrintJson(Json(std::string(word))));
  }
  return absl::StrCat("[", absl::StrJoin(words, ", "), "]");
}

void Check(const Statement& statement, Diagnostics& diagnostics) {
  if (statement.text.text.empty() ||
      (statement.json && statement.words.empty())) {
    diagnostics.Error("bad-arguments", ArgumentRange(statement),
                      "SHELL requires at least one argument; write `SHELL "
                      "[\"/bin/sh\", \"-c\"]`");
  } else if (!statement.json) {
    std::string json = AsJson(statement.text.text);
    Diagnostic bad = {
        .code = "bad-arguments",
        .range = ArgumentRange(statement),
        .message = absl::StrCat(
            "SHELL requires the arguments to be in JSON form; write `SHELL ",
            json, "`")};
    bad.fix = {{absl::StrCat("write `", json, "`"),
                {{ArgumentRange(statement), json}}}};
    diagnostics.Add(std::move(bad));
  }
}

void Describe(const Statement& statement, Json& object) {
  object.Set("command", Json::Strings(WordTexts(statement.words)));
}

void Lower(const Statement& statement, Stage& stage) {
  stage.config().shell = WordTexts(statement.words);
  stage.CommitConfig(absl::StrCat("SHELL ", GoList(stage.config().shell)));
}

}  // namespace

constinit const Instruction kShell = {
    .keyword = "SHELL",
    .shape = grammar::ArgumentShape::kJsonOrText,
    .check = Check,
    .describe = Describe,
    .lower = Lower,
};

}  // namespace lamina::frontend
