#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindStageNameCasing(const Subject& subject) {
  std::vector<Finding> findings;
  for (const grammar::Statement* from : FindFroms(subject)) {
    std::string lower = StageName(*from);
    if (lower.empty() || from->words[2].text == lower) {
      continue;
    }
    const grammar::Word& name = from->words[2];
    findings.push_back({.statement = from,
                        .range = name.range,
                        .detail = absl::StrCat("Stage name '", name.text,
                                               "' should be lowercase"),
                        .advice = absl::StrCat("write `", lower, "`"),
                        .fix = Replace(name.range, lower)});
  }
  return findings;
}

}  // namespace

constinit const Rule kStageNameCasing = {
    .name = "StageNameCasing",
    .run = FindStageNameCasing,
};

}  // namespace lamina::lint
