#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

Finding Undefined(const grammar::Statement& statement,
                  const frontend::EvaluatedWord& word,
                  const frontend::UndefinedName& name) {
  return {.statement = &statement,
          .range = word.range,
          .detail = absl::StrCat("Usage of undefined variable '$", name.name,
                                 "'", Hint(name.near, "$")),
          .advice = absl::StrCat("set it with ENV, or declare it with `ARG ",
                                 name.name, "` in this stage")};
}

std::vector<Finding> FindUndefinedVar(const Subject& subject) {
  std::vector<Finding> findings;
  for (const frontend::EvaluatedStage& stage : subject.evaluation.stages) {
    for (const frontend::EvaluatedStatement& evaluated : stage.statements) {
      for (const frontend::EvaluatedWord& word : evaluated.words) {
        for (const frontend::UndefinedName& name : word.undefined) {
          // An unknown base may define it; a slip of the pen is likelier when
          // there is a name so near.
          if (evaluated.base_known || name.near.has_value()) {
            findings.push_back(Undefined(*evaluated.statement, word, name));
          }
        }
      }
    }
  }
  return findings;
}

}  // namespace

constinit const Rule kUndefinedVar = {
    .name = "UndefinedVar",
    .run = FindUndefinedVar,
};

}  // namespace lamina::lint
