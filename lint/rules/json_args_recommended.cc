#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// Characters that only a shell understands.
constexpr absl::string_view kShellText = "$`\"'\\|&;<>()*?[]{}~#!=\n";

std::string Advice(const grammar::Statement& statement) {
  absl::string_view text = statement.text.text;
  if (text.find_first_of(kShellText) != text.npos) {
    return "the shell does not pass signals on: write the program and its "
           "arguments as a JSON list, or name the shell with SHELL";
  }
  std::vector<std::string> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  return absl::StrCat("write `", statement.keyword, " ",
                      PrintJson(Json::Strings(words)), "`");
}

std::vector<Finding> FindJSONArgsRecommended(const Subject& subject) {
  std::vector<Finding> findings;
  for (const Place& place : FindPlaces(subject, {"CMD", "ENTRYPOINT"})) {
    const grammar::Statement& statement = place.statement();
    if (statement.json || place.evaluated->has_shell) {
      continue;
    }
    findings.push_back(
        {.statement = &statement,
         .range = statement.text.text.empty() ? statement.keyword_word.range
                                              : statement.text.range,
         .detail = absl::StrCat(
             "JSON arguments recommended for ", statement.keyword,
             " to prevent unintended behavior related to OS signals"),
         .advice = Advice(statement)});
  }
  return findings;
}

}  // namespace

constinit const Rule kJsonArgsRecommended = {
    .name = "JSONArgsRecommended",
    .run = FindJSONArgsRecommended,
};

}  // namespace lamina::lint
