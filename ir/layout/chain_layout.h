// From cuts to a layout that says what each layer holds, and why the others
// are where they are (optimiser.md 7).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/layout/chain.h"
#include "ir/layout/layout.h"
#include "ir/layout/path_history.h"
#include "ir/layout/trace.h"

namespace lamina::ir {

// A trace, ready for the chain programme. Refers to the trace.
struct ChainModel {
  const Trace& trace;
  std::vector<int> ends;  // Positions; ends[p - 1] is the step of position p.
  PathHistories histories;
  ChainCost cost;
  ChainRules rules;
};

absl::StatusOr<ChainModel> PrepareChain(
    const Trace& trace, const CostWeights& weights,
    const std::optional<std::vector<std::string>>& published);

// The same with these positions only.
absl::StatusOr<ChainModel> PrepareChainAt(
    const Trace& trace, std::vector<int> ends, const CostWeights& weights,
    const std::optional<std::vector<std::string>>& published);

// How the cuts came about, for the reasons of merges.
struct CutContext {
  bool budget_binds = false;  // As many layers as are allowed.
  bool locked = false;        // The lock's cuts, not the best ones.
};

// Layers of these cuts (positions), with sums.
void DescribeLayers(const ChainModel& model, const std::vector<int>& cuts,
                    Layout& layout);
// Merges and cuts with their reasons.
void ExplainCuts(const ChainModel& model, const std::vector<int>& cuts,
                 const CostWeights& weights, const CutContext& context,
                 Layout& layout);
// Points of all numbers of layers that have a plan.
std::vector<CurvePoint> DrawCurve(const ChainModel& model,
                                  const ChainProgramme& programme);

}  // namespace lamina::ir
