#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindMaintainerDeprecated(const Subject& subject) {
  std::vector<Finding> findings;
  for (const grammar::Statement& statement : subject.syntax.statements) {
    if (statement.keyword != "MAINTAINER") {
      continue;
    }
    // Unlike this instruction, LABEL is expanded: what that would change is
    // left to the user.
    const std::string& name = statement.text.text;
    bool plain = name.find_first_of("\"\\$`") == std::string::npos;
    std::string label =
        absl::StrCat("LABEL org.opencontainers.image.authors=\"",
                     plain ? name : "NAME", "\"");
    findings.push_back(
        {.statement = &statement,
         .range = statement.keyword_word.range,
         .detail = "Maintainer instruction is deprecated in favor of using "
                   "label",
         .advice = absl::StrCat("write `", label, "`"),
         .fix = plain ? std::optional(Replace(statement.range, label))
                      : std::nullopt});
  }
  return findings;
}

}  // namespace

constinit const Rule kMaintainerDeprecated = {
    .name = "MaintainerDeprecated",
    .run = FindMaintainerDeprecated,
};

}  // namespace lamina::lint
