#include "cli/plan_formats/plan_format.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "cli/command.h"

namespace lamina::cli {
namespace {

absl::Status Unknown(absl::string_view flag, absl::string_view word,
                     const std::vector<std::string>& known) {
  const std::optional<std::string> near = Closest(word, known);
  return UsageError(absl::StrCat(
      "--", flag, ": `", word, "` is not known",
      near.has_value()
          ? absl::StrCat("; did you mean `", *near, "`?")
          : absl::StrCat("; one of ", absl::StrJoin(known, ", "))));
}

}  // namespace

std::vector<const PlanFormat*> AllPlanFormats() {
  return {
#define PLAN_FORMAT(name) &name,
#include "cli/plan_formats/plan_formats.def"
#undef PLAN_FORMAT
  };
}

absl::StatusOr<const PlanFormat*> FindPlanFormat(absl::string_view name) {
  std::vector<std::string> known;
  for (const PlanFormat* format : AllPlanFormats()) {
    if (format->name == name) {
      return format;
    }
    known.emplace_back(format->name);
  }
  return Unknown("format", name, known);
}

absl::StatusOr<PlanStage> FindPlanStage(absl::string_view name) {
  if (name == "lowered") {
    return PlanStage::kLowered;
  }
  if (name == "optimised") {
    return PlanStage::kOptimised;
  }
  if (name == "diff") {
    return PlanStage::kDiff;
  }
  return Unknown("stage", name, {"lowered", "optimised", "diff"});
}

}  // namespace lamina::cli
