#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindInvalidBaseImagePlatform(const Subject& subject) {
  std::vector<Finding> findings;
  for (const frontend::EvaluatedStage& stage : subject.evaluation.stages) {
    if (!stage.other_platform.has_value()) {
      continue;
    }
    const frontend::OtherPlatform& other = *stage.other_platform;
    findings.push_back(
        {.statement = stage.outline->from,
         .range = stage.outline->BaseWord(),
         .detail = absl::StrCat("Base image ", other.image,
                                " was pulled with platform \"",
                                other.found.Text(), "\", expected \"",
                                other.wanted.Text(), "\" for current build"),
         .advice = "load the image of that platform under this name"});
  }
  return findings;
}

}  // namespace

constinit const Rule kInvalidBaseImagePlatform = {
    .name = "InvalidBaseImagePlatform",
    .run = FindInvalidBaseImagePlatform,
};

}  // namespace lamina::lint
