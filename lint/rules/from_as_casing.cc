#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindFromAsCasing(const Subject& subject) {
  std::vector<Finding> findings;
  for (const grammar::Statement* from : FindFroms(subject)) {
    const std::string& keyword = from->keyword_word.text;
    bool upper = IsUpper(keyword);
    if (from->words.size() != 3 || (!upper && !IsLower(keyword))) {
      continue;
    }
    const grammar::Word& as = from->words[1];
    std::string better = upper ? "AS" : "as";
    if (as.text == better || !absl::EqualsIgnoreCase(as.text, "as")) {
      continue;
    }
    findings.push_back(
        {.statement = from,
         .range = as.range,
         .detail = absl::StrCat("'", as.text, "' and '", keyword,
                                "' keywords' casing do not match"),
         .advice = absl::StrCat("write `", better, "`"),
         .fix = Replace(as.range, better)});
  }
  return findings;
}

}  // namespace

constinit const Rule kFromAsCasing = {
    .name = "FromAsCasing",
    .run = FindFromAsCasing,
};

}  // namespace lamina::lint
