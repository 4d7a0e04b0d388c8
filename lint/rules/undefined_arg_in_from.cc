#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// What a FROM may name: global arguments, with a value or without, and the
// arguments of the platform.
std::vector<std::string> KnownNames(const Subject& subject,
                                    const frontend::Outline& outline) {
  std::vector<std::string> known;
  for (const grammar::Statement* global : FindGlobals(subject)) {
    for (const grammar::KeyValue& pair : global->pairs) {
      known.push_back(pair.key.text);
    }
  }
  for (const auto& [name, value] : outline.globals.all()) {
    known.push_back(name);
  }
  return known;
}

void CheckFrom(const grammar::Statement& from, const frontend::FromWord& word,
               const std::vector<std::string>& known,
               std::vector<Finding>& findings) {
  for (const std::string& name : word.names.unset) {
    if (absl::c_linear_search(known, name)) {
      continue;
    }
    findings.push_back(
        {.statement = &from,
         .range = word.range,
         .detail = absl::StrCat("FROM argument '", name, "' is not declared",
                                Hint(Closest(name, known))),
         .advice =
             absl::StrCat("write `ARG ", name, "` before the first FROM")});
  }
}

std::vector<Finding> FindUndefinedArgInFrom(const Subject& subject) {
  std::vector<Finding> findings;
  if (!subject.evaluation.outline.has_value()) {
    return findings;
  }
  const frontend::Outline& outline = *subject.evaluation.outline;
  std::vector<std::string> known = KnownNames(subject, outline);
  for (const frontend::StageOutline& stage : outline.stages) {
    for (const auto* word : {&stage.base_word, &stage.platform_word}) {
      if (word->has_value()) {
        CheckFrom(*stage.from, **word, known, findings);
      }
    }
  }
  return findings;
}

}  // namespace

constinit const Rule kUndefinedArgInFrom = {
    .name = "UndefinedArgInFrom",
    .run = FindUndefinedArgInFrom,
};

}  // namespace lamina::lint
