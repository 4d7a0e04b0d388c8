// The forms of the dry run: one file each, listed in plan_formats.def. Pure
// functions of the report; texts of the build file are escaped as each form
// demands.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backend/plan_report.h"

namespace lamina::cli {

// Which graph is drawn.
enum class PlanStage {
  kLowered,    // As written.
  kOptimised,  // As it will run.
  kDiff,       // As written, with what became of each step.
};

struct PlanPrintOptions {
  // Columns of text. Where there is no terminal, 120: logs of CI services show
  // as many, and a line of a step with its reason mostly fits.
  size_t width = 120;
  bool colour = false;
  bool utf8 = true;
  bool verbose = false;  // Intervals, keys, and lists to their ends.
  PlanStage stage = PlanStage::kOptimised;
  size_t fold = 150;  // A graph of more steps has its chains folded; 0: never.
};

struct PlanFormat {
  absl::string_view name;
  absl::string_view summary;
  // Ends with a line feed.
  std::string (*print)(const backend::PlanReport& report,
                       const PlanPrintOptions& options);
  // False: `stage` and `fold` mean nothing to it; the command refuses them.
  bool draws = false;
};

#define PLAN_FORMAT(name) extern const PlanFormat name;
#include "cli/plan_formats/plan_formats.def"
#undef PLAN_FORMAT

std::vector<const PlanFormat*> AllPlanFormats();

// Errors are usage errors that name the nearest format, or all.
absl::StatusOr<const PlanFormat*> FindPlanFormat(absl::string_view name);
// The same for the words "lowered", "optimised" and "diff".
absl::StatusOr<PlanStage> FindPlanStage(absl::string_view name);

}  // namespace lamina::cli
