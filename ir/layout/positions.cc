// Joins steps before the chain programme when there are very many: its tables
// grow with the square of their number.
#include <algorithm>
#include <numeric>

#include "base/status.h"
#include "ir/layout/chain.h"

namespace lamina::ir {
namespace {

using Int128 = __int128;

// Weights of the epochs that changed one position, and one of two neighbours.
struct NeighbourWeights {
  std::vector<int64_t> single;
  std::vector<int64_t> pairs;
};

NeighbourWeights WeightsOfNeighbours(const std::vector<Epoch>& epochs,
                                     const std::vector<int>& ends) {
  NeighbourWeights weights = {.single = std::vector<int64_t>(ends.size()),
                              .pairs = std::vector<int64_t>(ends.size())};
  for (const Epoch& epoch : epochs) {
    size_t last = ends.size();
    for (int step : epoch.steps) {
      size_t at =
          std::lower_bound(ends.begin(), ends.end(), step) - ends.begin();
      if (at == last) {
        continue;
      }
      weights.single[at] += epoch.weight;
      weights.pairs[at] += epoch.weight;
      if (at > 0 && at - 1 != last) {
        weights.pairs[at - 1] += epoch.weight;
      }
      last = at;
    }
  }
  return weights;
}

// What a layer costs, in units of 1 / (1000 W).
Int128 LayerCost(uint64_t bytes, int64_t changed, int64_t total,
                 const CostWeights& weights) {
  if (bytes == 0) {
    return 0;
  }
  Int128 rate = Int128{total} * (weights.alpha + weights.delta) +
                Int128{weights.beta} * changed;
  return Int128{1000} * total * weights.gamma + rate * bytes;
}

struct Join {
  bool free;     // The cut is forbidden anyway.
  Int128 added;  // Cost.
  size_t at;     // Joins ends[at] to the position behind it.
};

std::vector<Join> RankJoins(const Trace& trace, const PathHistories& histories,
                            const std::vector<int>& ends,
                            const CostWeights& weights) {
  NeighbourSizes sizes = SizesOfNeighbours(histories);
  NeighbourWeights changed = WeightsOfNeighbours(trace.epochs, ends);
  int64_t total = TotalWeight(trace.epochs);
  std::vector<bool> forced(trace.steps.size() + 1);
  std::vector<bool> forbidden(trace.steps.size() + 1);
  for (const CutRule& cut : trace.cuts) {
    (cut.forced ? forced : forbidden)[cut.step] = true;
  }
  std::vector<Join> joins;
  for (size_t at = 0; at + 1 < ends.size(); ++at) {
    if (!forced[ends[at]]) {
      Int128 apart =
          LayerCost(sizes.single[at], changed.single[at], total, weights) +
          LayerCost(sizes.single[at + 1], changed.single[at + 1], total,
                    weights);
      Int128 joined =
          LayerCost(sizes.pairs[at], changed.pairs[at], total, weights);
      joins.push_back({forbidden[ends[at]], joined - apart, at});
    }
  }
  std::sort(joins.begin(), joins.end(), [](const Join& a, const Join& b) {
    return a.free != b.free     ? a.free
           : a.added != b.added ? a.added < b.added
                                : a.at < b.at;
  });
  return joins;
}

// One join a neighbourhood and round, for each changes what its neighbours'
// joins would cost. A round ends where a better join may come up in the next
// one, but not before a quarter is done.
std::vector<bool> ChooseJoins(const std::vector<Join>& joins, size_t surplus) {
  std::vector<bool> gone;
  size_t least = surplus / 4 + 1;
  size_t done = 0;
  std::optional<Int128> waiting;
  for (const Join& join : joins) {
    gone.resize(std::max(gone.size(), join.at + 2));
    if (done == surplus ||
        (done >= least && waiting && join.added > *waiting && !join.free)) {
      break;
    }
    if (gone[join.at + 1] || (join.at > 0 && gone[join.at - 1])) {
      waiting = waiting.value_or(join.added);
    } else {
      gone[join.at] = true;
      ++done;
    }
  }
  return gone;
}

}  // namespace

absl::StatusOr<std::vector<int>> ChoosePositions(const Trace& trace,
                                                 const CostWeights& weights,
                                                 int limit) {
  std::vector<int> ends(trace.steps.size());
  std::iota(ends.begin(), ends.end(), 1);
  while (ends.size() > static_cast<size_t>(limit)) {
    ASSIGN_OR_RETURN(PathHistories histories,
                     PathHistories::Collect(trace, ends));
    std::vector<bool> gone = ChooseJoins(
        RankJoins(trace, histories, ends, weights), ends.size() - limit);
    std::vector<int> left;
    for (size_t at = 0; at < ends.size(); ++at) {
      if (at >= gone.size() || !gone[at]) {
        left.push_back(ends[at]);
      }
    }
    if (left.size() == ends.size()) {
      break;
    }
    ends = std::move(left);
  }
  return ends;
}

}  // namespace lamina::ir
