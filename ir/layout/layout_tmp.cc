#include "ir/layout/chain.h"
#include "base/status.h"
namespace lamina::ir {
absl::string_view MergeReasonName(MergeReason) { return "too-small"; }
absl::StatusOr<LayoutResult> PlanLayout(const Trace& trace, const LayoutOptions& options, const LayerLock*) {
  int n = static_cast<int>(trace.steps.size());
  std::vector<int> ends; for (int i = 1; i <= n; ++i) ends.push_back(i);
  ASSIGN_OR_RETURN(PathHistories histories, PathHistories::Collect(trace));
  ChainCost cost(histories, trace.epochs, ends, options.weights, {});
  ChainRules rules{std::vector<bool>(n + 1), std::vector<bool>(n + 1)};
  for (const CutRule& r : trace.cuts) (r.forced ? rules.forced : rules.forbidden)[r.step] = true;
  ChainProgramme programme(cost, rules, n);
  std::optional<ChainPlan> plan = programme.Best(options.mode == LayoutMode::kOne ? 1 : options.own_limit.value_or(n));
  LayoutResult result;
  if (!plan) { result.problem = LimitProblem{n, *options.own_limit, {}, {}, 0, 0}; return result; }
  Layout layout; layout.mode = LayoutMode::kChain;
  int from = 0; plan->cuts.push_back(n);
  for (int cut : plan->cuts) { if (!cost.empty(from, cut)) layout.layers.push_back({.first = from + 1, .last = cut, .bytes = cost.bytes(from, cut)}); from = cut; }
  for (const LayoutLayer& l : layout.layers) layout.stored += l.bytes;
  for (int i = 0; i < n; ++i) layout.verbatim_stored += cost.bytes(i, i + 1);
  result.layout = layout;
  return result;
}
}
