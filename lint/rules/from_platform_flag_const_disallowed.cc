#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/flags.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindFromPlatformFlagConstDisallowed(
    const Subject& subject) {
  std::vector<Finding> findings;
  if (!subject.evaluation.outline.has_value()) {
    return findings;
  }
  const frontend::Outline& outline = *subject.evaluation.outline;
  for (const frontend::StageOutline& stage : outline.stages) {
    const grammar::Flag* flag = frontend::FindFlag(*stage.from, "platform");
    if (flag == nullptr || !stage.platform.has_value()) {
      continue;
    }
    frontend::UsedNames names;
    absl::StatusOr<std::string> value = frontend::ExpandWord(
        *flag->value, outline.escape, outline.globals, &names);
    bool constant = value.ok() && names.set.empty() && names.unset.empty();
    if (!constant || absl::StrContains(stage.name, stage.platform->os) ||
        absl::StrContains(stage.name, stage.platform->architecture)) {
      continue;
    }
    findings.push_back(
        {.statement = stage.from,
         .range = flag->range,
         .detail = absl::StrCat(
             "FROM --platform flag should not use constant value \"", *value,
             "\""),
         .advice = "leave it out and build with --platform, write "
                   "`$BUILDPLATFORM` if the stage runs where it is built, or "
                   "name the stage after its platform"});
  }
  return findings;
}

}  // namespace

constinit const Rule kFromPlatformFlagConstDisallowed = {
    .name = "FromPlatformFlagConstDisallowed",
    .run = FindFromPlatformFlagConstDisallowed,
};

}  // namespace lamina::lint
