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

void Check(const Statement& statement, Diagnostics& diagnostics) {
  const std::vector<grammar::Word>& words = statement.words;
  bool named = words.size() == 3 && absl::EqualsIgnoreCase(words[1].text, "as");
  if (words.size() != 1 && !named) {
    diagnostics.Error("bad-arguments", ArgumentRange(statement),
                      "FROM requires either one or three arguments");
  } else if (named && !IsStageName(words[2].text)) {
    diagnostics.Error(
        "bad-stage-name", words[2].range,
        absl::StrCat("invalid name for build stage: ", GoQuote(words[2].text),
                     ", name can't start with a number or contain symbols"));
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
