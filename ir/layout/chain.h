// The chain programme: where layers end if every layer is a run of neighbouring
// steps. Exact, order-preserving, integers only (optimiser.md 5.4, 5.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/layout/layout.h"
#include "ir/layout/path_history.h"
#include "ir/layout/segments.h"
#include "ir/layout/trace.h"

namespace lamina::ir {

// c(i, j) in units of 1 / (1000 W) byte.
class ChainCost {
 public:
  // `published` holds the keys of segments that clients and registries have
  // already (SegmentKeyText): others cost `weights.rho` more. Without it nobody
  // asks for keys. `ends` are the positions of `histories`.
  ChainCost(const PathHistories& histories, const std::vector<Epoch>& epochs,
            const std::vector<int>& ends, const CostWeights& weights,
            const std::optional<std::vector<std::string>>& published);

  int positions() const { return positions_; }
  bool empty(int i, int j) const { return sizes_(i, j).bytes == 0; }
  uint64_t bytes(int i, int j) const { return sizes_(i, j).bytes; }
  const SegmentSize& size(int i, int j) const { return sizes_(i, j); }
  int64_t changed(int i, int j) const { return changed_(i, j); }  // Q
  int64_t total_weight() const { return total_weight_; }          // W
  int64_t cost(int i, int j) const { return costs_(i, j); }
  // Costs of all i < j for one j, in order.
  const int64_t* costs(int j) const { return &costs_(0, j); }
  // 0 without `published`.
  SegmentKey key(int i, int j) const;
  int64_t ToBytes(int64_t cost) const;

 private:
  int positions_;
  int64_t total_weight_;
  SegmentTable<SegmentSize> sizes_;
  SegmentTable<int64_t> changed_;
  SegmentTable<int64_t> costs_;
  SegmentTable<SegmentKey> keys_;
  bool has_keys_;
};

// Rules for the positions 0..n; both false at the ends.
struct ChainRules {
  std::vector<bool> forced;
  std::vector<bool> forbidden;
};

struct ChainPlan {
  int64_t cost = 0;
  int layers = 0;         // That hold something.
  std::vector<int> cuts;  // Ascending, without 0 and n.
};

// The best plans of exactly k layers, for all k up to a limit.
class ChainProgramme {
 public:
  // Keeps `cost` and `rules`, which must live as long.
  ChainProgramme(const ChainCost& cost, const ChainRules& rules,
                 int max_layers);

  int max_layers() const { return max_layers_; }
  // f[k][n]; nothing if no plan has exactly `layers` layers.
  std::optional<int64_t> Cost(int layers) const;
  ChainPlan Plan(int layers) const;  // Cost() must have a value.
  // How many sets of cuts cost as little with exactly `layers` layers; at the
  // most INT64_MAX.
  int64_t Ties(int layers) const;
  // The cheapest of at most `limit` layers, fewer layers on equal cost.
  std::optional<ChainPlan> Best(int limit) const;
  // The fewest layers whose cost is within 20 % of the best; 0 if none.
  int Knee() const;

 private:
  int64_t At(int layers, int position) const {
    return best_[static_cast<size_t>(layers) * (n_ + 1) + position];
  }
  // Costs of the segments that end at `j`, by their start.
  void LegalCosts(int j, std::vector<int64_t>& costs) const;
  void Fill(int layers, int j, const std::vector<int64_t>& costs);

  const ChainCost& cost_;
  const ChainRules& rules_;
  int n_;
  int max_layers_;
  std::vector<int64_t> best_;  // f
  std::vector<int> from_;      // The start of the last segment.
};

struct RelaxedPlan {
  ChainPlan plan;
  std::vector<int> dropped;  // Forced cuts.
};

// The plan of at most `limit` layers that drops the fewest forced cuts, then
// costs least, then drops the smallest list of cuts. None if even without
// forced cuts there is none.
std::optional<RelaxedPlan> RelaxForcedCuts(const ChainCost& cost,
                                           const ChainRules& rules, int limit);

// Cost and layers of given cuts, and of all.
ChainPlan EvaluateCuts(const ChainCost& cost, const std::vector<int>& cuts);
ChainPlan EvaluateVerbatim(const ChainCost& cost);

// The same layers, but steps without effect at their ends cut off where that is
// cheaper.
std::vector<int> CutOffEmpty(const ChainCost& cost, const ChainRules& rules,
                             const std::vector<int>& cuts);

// Positions of a trace: one a step up to `limit` steps; of more, the
// neighbours with the least added cost are joined until `limit` are left or
// only forced cuts separate them. Sorted, the last is the last step.
absl::StatusOr<std::vector<int>> ChoosePositions(const Trace& trace,
                                                 const CostWeights& weights,
                                                 int limit);

}  // namespace lamina::ir
