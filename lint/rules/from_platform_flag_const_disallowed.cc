#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/flags.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindFromPlatformFlagConstDisallowed(
    const Subject& subject) {
  std::vector<Finding> findings;
  for (const frontend::StageOutline* stage : FindStages(subject)) {
    const std::optional<frontend::FromWord>& word = stage->platform_word;
    if (!stage->platform.has_value() || !word->names.set.empty() ||
        !word->names.unset.empty() ||
        absl::StrContains(stage->name, stage->platform->os) ||
        absl::StrContains(stage->name, stage->platform->architecture)) {
      continue;
    }
    findings.push_back(
        {.statement = stage->from,
         .range = frontend::FindFlag(*stage->from, "platform")->range,
         .detail = absl::StrCat(
             "FROM --platform flag should not use constant value \"",
             word->value, "\""),
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
