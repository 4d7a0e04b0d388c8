// The layers that a build is expected to export: the layout planner on
// predicted diffs. A prediction; the build asks the planner again with what the
// steps really wrote.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "backend/export_layers.h"
#include "backend/plan.h"
#include "backend/predicted_diffs.h"
#include "backend/step_trace.h"

namespace lamina::backend {

struct PlannedExport {
  TargetChain chain;
  PredictedDiffs predicted;
  ir::Trace trace;
  // Exactly one of the two, as in ir::LayoutResult.
  std::optional<ir::Layout> layout;
  std::optional<ir::LimitProblem> problem;
  // True: the limit cannot be met, whatever the steps will write.
  bool certain = false;
};

// `plan` has one target. Reads the store and the context, writes nothing.
absl::StatusOr<PlannedExport> PlanExport(const Plan& plan,
                                         const ExportPolicy& policy,
                                         const SourceFile& source,
                                         Store* store);

// The problem that no run can mend: more forced layers, or at -O0 more steps,
// than the limit leaves. Cheap: looks at nothing but the graph and the number
// of the base's layers.
bool ExceedsLimit(const Plan& plan, const ExportPolicy& policy,
                  size_t base_layers);

}  // namespace lamina::backend
