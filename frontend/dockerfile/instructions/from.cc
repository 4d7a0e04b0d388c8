#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

constexpr FlagSpec kFlags[] = {{"platform"}};

// [a-z][a-z0-9-_.]* once it is in lower case.
bool IsStageName(absl::string_view name) {
  return !name.empty() && absl::ascii_isalpha(name[0]) &&
         absl::AsciiStrToLower(name).find_first_not_of(
             "abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
}

// From the first word that does not fit to the last one.
SourceRange WrongWords(const Statement& statement) {
  const std::vector<grammar::Word>& words = statement.words;
  if (words.empty()) {
    return ArgumentRange(statement);
  }
  bool as = words.size() > 1 && absl::EqualsIgnoreCase(words[1].text, "as");
  size_t first = as && words.size() > 3 ? 3 : 1;
  return {words[first].range.begin, words.back().range.end};
}

std::string ArityHint(const Statement& statement) {
  const std::vector<grammar::Word>& words = statement.words;
  if (words.empty()) {
    return "; write `FROM IMAGE`";
  }
  if (words.size() == 2) {
    return absl::EqualsIgnoreCase(words[1].text, "as")
               ? "; write the name of the stage behind AS"
               : absl::StrCat("; to name the stage, write `AS ", words[1].text,
                              "`");
  }
  return absl::EqualsIgnoreCase(words[1].text, "as")
             ? "; remove what follows the name of the stage"
             : "; write `FROM IMAGE AS NAME`";
}

// The nearest name that is allowed.
std::string StageName(absl::string_view wanted) {
  std::string name;
  for (char c : absl::AsciiStrToLower(wanted)) {
    bool fits = absl::ascii_isalnum(c) || absl::StrContains("-_.", {&c, 1});
    name += fits ? c : '-';
  }
  return absl::ascii_isalpha(name[0]) ? name : absl::StrCat("stage-", name);
}

void Check(const Statement& statement, Diagnostics& diagnostics) {
  const std::vector<grammar::Word>& words = statement.words;
  bool named = words.size() == 3 && absl::EqualsIgnoreCase(words[1].text, "as");
  if (words.size() != 1 && !named) {
    diagnostics.Error(
        "bad-arguments", WrongWords(statement),
        absl::StrCat("FROM requires either one or three arguments",
                     ArityHint(statement)));
  } else if (named && !IsStageName(words[2].text)) {
    std::string better = StageName(words[2].text);
    Diagnostic bad = {
        .code = "bad-stage-name",
        .range = words[2].range,
        .message = absl::StrCat(
            "invalid name for build stage: ", GoQuote(words[2].text),
            ", name can't start with a number or contain symbols; `", better,
            "` would do")};
    bad.fix = {
        {absl::StrCat("write `", better, "`"), {{words[2].range, better}}}};
    diagnostics.Add(std::move(bad));
  }
}

void Describe(const Statement& statement, Json& object) {
  object.Set("image", statement.words[0].text);
  object.Set("name", statement.words.size() == 3
                         ? absl::AsciiStrToLower(statement.words[2].text)
                         : "");
}

}  // namespace

constinit const Instruction kFrom = {
    .keyword = "FROM",
    .shape = grammar::ArgumentShape::kWords,
    .flags = kFlags,
    .check = Check,
    .describe = Describe,
};

}  // namespace lamina::frontend
