#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/flags.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// Whether the word is that variable and nothing else.
bool IsTargetPlatform(const std::string& word,
                      const frontend::Outline& outline) {
  frontend::UsedNames names;
  absl::StatusOr<std::string> value =
      frontend::ExpandWord(word, outline.escape, outline.globals, &names);
  const std::string* target = outline.globals.Find("TARGETPLATFORM");
  return value.ok() && names.unset.empty() && target != nullptr &&
         names.set == std::vector<std::string>{"TARGETPLATFORM"} &&
         *value == *target;
}

std::vector<Finding> FindRedundantTargetPlatform(const Subject& subject) {
  std::vector<Finding> findings;
  if (!subject.evaluation.outline.has_value()) {
    return findings;
  }
  const frontend::Outline& outline = *subject.evaluation.outline;
  for (const frontend::StageOutline& stage : outline.stages) {
    const grammar::Flag* flag = frontend::FindFlag(*stage.from, "platform");
    if (flag == nullptr || !flag->value.has_value() ||
        !IsTargetPlatform(*flag->value, outline)) {
      continue;
    }
    findings.push_back(
        {.statement = stage.from,
         .range = flag->range,
         .detail = absl::StrCat("Setting platform to predefined ", *flag->value,
                                " in FROM is redundant as this is the default "
                                "behavior"),
         .advice = "remove the flag",
         .fix =
             Fix{"remove the flag",
                 {{{flag->range.begin, stage.from->words.empty()
                                           ? flag->range.end
                                           : stage.from->words[0].range.begin},
                   ""}}}});
  }
  return findings;
}

}  // namespace

constinit const Rule kRedundantTargetPlatform = {
    .name = "RedundantTargetPlatform",
    .run = FindRedundantTargetPlatform,
};

}  // namespace lamina::lint
