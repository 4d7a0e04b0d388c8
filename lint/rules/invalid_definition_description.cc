#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// The last comment above the statement; null without one. What steers a check
// describes nothing.
const grammar::Word* Description(const grammar::Statement& statement) {
  const grammar::Word* last = nullptr;
  for (const grammar::Word& comment : statement.comments) {
    if (!absl::StartsWith(absl::StripAsciiWhitespace(comment.text), "check=")) {
      last = &comment;
    }
  }
  return last;
}

std::vector<std::string> Keys(const grammar::Statement& statement) {
  std::vector<std::string> keys;
  for (const grammar::KeyValue& pair : statement.pairs) {
    keys.push_back(pair.key.text);
  }
  return keys;
}

std::vector<Finding> FindInvalidDefinitionDescription(const Subject& subject) {
  std::vector<Finding> findings;
  auto check = [&](const grammar::Statement& statement,
                   const std::vector<std::string>& names) {
    const grammar::Word* comment = Description(statement);
    if (comment == nullptr || names.empty()) {
      return;
    }
    absl::string_view text = absl::StripAsciiWhitespace(comment->text);
    std::string first(text.substr(0, text.find(' ')));
    if (absl::c_linear_search(names, first)) {
      return;
    }
    findings.push_back(
        {.statement = &statement,
         .range = statement.keyword_word.range,
         .detail = absl::StrCat("Comment for ", statement.keyword,
                                " should follow the format: `# ",
                                names.size() == 1 ? names[0] : "<arg_key>",
                                " <description>`"),
         .advice = "put an empty comment between the two if it is no "
                   "description",
         .notes = {{comment->range, "the comment is here"}}});
  };
  for (const grammar::Statement* global : FindGlobals(subject)) {
    check(*global, Keys(*global));
  }
  for (const grammar::Statement* from : FindFroms(subject)) {
    std::string name = StageName(*from);
    check(*from, name.empty() ? std::vector<std::string>()
                              : std::vector<std::string>{name});
  }
  for (const Place& place : FindPlaces(subject, {"ARG"})) {
    check(place.statement(), Keys(place.statement()));
  }
  return findings;
}

}  // namespace

constinit const Rule kInvalidDefinitionDescription = {
    .name = "InvalidDefinitionDescription",
    .experimental = true,
    .run = FindInvalidDefinitionDescription,
};

}  // namespace lamina::lint
