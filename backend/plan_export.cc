#include "backend/plan_export.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// Stands for what a RUN that never ran will write, so that it is planned as a
// layer of its own; nothing of it is shown as a size.
constexpr uint64_t kUnknownBytes = 16 << 20;

void AssumeUnknownSteps(const PredictedDiffs& predicted, ir::Trace& trace) {
  for (size_t i = 0; i < predicted.bytes.size(); ++i) {
    if (!predicted.bytes[i].mean.has_value()) {
      ir::PathState state;
      state.mode = 0644;
      state.size = kUnknownBytes;
      state.body = absl::StrCat("unknown step ", i + 1);
      trace.steps[i].events.push_back(
          {absl::StrCat("unknown.", i + 1), std::move(state)});
    }
  }
}

int ForcedCuts(const ExportPolicy& policy) {
  return static_cast<int>(
      std::count_if(policy.cuts.begin(), policy.cuts.end(),
                    [](const ir::CutRule& cut) { return cut.forced; }));
}

}  // namespace

bool ExceedsLimit(const Plan& plan, const ExportPolicy& policy,
                  size_t base_layers) {
  if (policy.max_layers <= 0) {
    return false;
  }
  int limit = OwnLimit(policy, base_layers);
  int steps = static_cast<int>(
      FindChain(plan.graph, plan.graph.targets[0]).steps.size());
  if (policy.mode == ir::LayoutMode::kVerbatim) {
    return policy.keep_empty && steps > limit;
  }
  bool chain = policy.mode == ir::LayoutMode::kChain;
  return steps > 0 && limit < (chain ? ForcedCuts(policy) : 0) + 1;
}

absl::StatusOr<PlannedExport> PlanExport(const Plan& plan,
                                         const ExportPolicy& policy,
                                         const SourceFile& source,
                                         Store* store) {
  PlannedExport planned;
  planned.chain = FindChain(plan.graph, plan.graph.targets[0]);
  ASSIGN_OR_RETURN(
      planned.predicted,
      PredictDiffs(plan, planned.chain, StepsOfNodes(plan), store));
  planned.trace = MakeTrace(planned.predicted.chain);
  AssumeUnknownSteps(planned.predicted, planned.trace);
  DescribeSteps(plan.graph, planned.chain, source, planned.trace);
  planned.trace.epochs = policy.epochs;
  planned.trace.cuts = policy.cuts;
  size_t base_layers = planned.predicted.chain.base_layers.size();
  ir::LayoutOptions options = MakeLayoutOptions(policy, base_layers);
  planned.certain = ExceedsLimit(plan, policy, base_layers);
  ASSIGN_OR_RETURN(
      ir::LayoutResult result,
      ir::PlanLayout(planned.trace, options,
                     policy.lock.has_value() ? &*policy.lock : nullptr));
  planned.layout = std::move(result.layout);
  planned.problem = std::move(result.problem);
  return planned;
}

}  // namespace lamina::backend
