#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindWorkdirRelativePath(const Subject& subject) {
  std::vector<Finding> findings;
  // Stages whose chain has a WORKDIR.
  std::set<const frontend::StageOutline*> set;
  for (const frontend::EvaluatedStage& stage : subject.evaluation.stages) {
    const frontend::Origin& base = stage.outline->base;
    if (base.kind == frontend::Origin::Kind::kStage &&
        set.count(&subject.evaluation.outline->stages[base.stage]) > 0) {
      set.insert(stage.outline);
    }
    for (const frontend::EvaluatedStatement& evaluated : stage.statements) {
      const grammar::Statement& statement = *evaluated.statement;
      if (statement.keyword != "WORKDIR" || !set.insert(stage.outline).second) {
        continue;
      }
      const frontend::EvaluatedWord* path = evaluated.Find(statement.text);
      if (path == nullptr || absl::StartsWith(path->value, "/")) {
        continue;
      }
      findings.push_back(
          {.statement = &statement,
           .range = path->range,
           .detail = absl::StrCat("Relative workdir \"", path->value,
                                  "\" can have unexpected results if the base "
                                  "image changes"),
           .advice = "write a path that begins with `/`"});
    }
  }
  return findings;
}

}  // namespace

constinit const Rule kWorkdirRelativePath = {
    .name = "WorkdirRelativePath",
    .run = FindWorkdirRelativePath,
};

}  // namespace lamina::lint
