// The chain programme when forced cuts need more layers than there may be:
// which of them to drop.
#include <algorithm>
#include <tuple>

#include "ir/layout/chain.h"

namespace lamina::ir {
namespace {

struct State {
  int drops = -1;  // -1: no plan.
  int64_t cost = 0;
  int from = 0;
};

class Relaxation {
 public:
  Relaxation(const ChainCost& cost, const ChainRules& rules, int limit)
      : cost_(cost),
        rules_(rules),
        n_(cost.positions()),
        limit_(std::min(limit, n_)),
        states_(static_cast<size_t>(limit_ + 1) * (n_ + 1)) {
    At(0, 0).drops = 0;
    for (int j = 1; j <= n_; ++j) {
      for (int layers = 0; layers <= limit_; ++layers) {
        if (j == n_ || !rules.forbidden[j]) {
          Fill(layers, j);
        }
      }
    }
  }

  std::optional<RelaxedPlan> Best() {
    int best = -1;
    for (int layers = 0; layers <= limit_; ++layers) {
      if (At(layers, n_).drops >= 0 &&
          (best < 0 || Before(layers, At(layers, n_), best, At(best, n_)))) {
        best = layers;
      }
    }
    if (best < 0) {
      return std::nullopt;
    }
    RelaxedPlan relaxed;
    for (auto [layers, j] = std::pair(best, n_); j > 0;) {
      int i = At(layers, j).from;
      layers -= cost_.empty(i, j) ? 0 : 1;
      j = i;
      if (i > 0) {
        relaxed.plan.cuts.push_back(i);
      }
    }
    std::reverse(relaxed.plan.cuts.begin(), relaxed.plan.cuts.end());
    relaxed.plan = EvaluateCuts(cost_, relaxed.plan.cuts);
    relaxed.dropped = Dropped(best, n_, At(best, n_));
    return relaxed;
  }

 private:
  State& At(int layers, int position) {
    return states_[static_cast<size_t>(layers) * (n_ + 1) + position];
  }

  void Fill(int layers, int j) {
    State best;
    int skipped = 0;  // Forced cuts between i and j.
    for (int i = j - 1; i >= 0; --i) {
      int before = layers - (cost_.empty(i, j) ? 0 : 1);
      if (before >= 0 && At(before, i).drops >= 0 &&
          (i == 0 || !rules_.forbidden[i])) {
        State next = {At(before, i).drops + skipped,
                      At(before, i).cost + cost_.cost(i, j), i};
        if (best.drops < 0 || !Before(layers, best, layers, next, j)) {
          best = next;
        }
      }
      skipped += rules_.forced[i] ? 1 : 0;
    }
    At(layers, j) = best;
  }

  bool Before(int a_layers, const State& a, int b_layers, const State& b) {
    return Before(a_layers, a, b_layers, b, n_);
  }
  // Whether plan `a` of position `j` is better than plan `b`.
  bool Before(int a_layers, const State& a, int b_layers, const State& b,
              int j) {
    if (std::tie(a.drops, a.cost) != std::tie(b.drops, b.cost)) {
      return std::tie(a.drops, a.cost) < std::tie(b.drops, b.cost);
    }
    return Dropped(a_layers, j, a) < Dropped(b_layers, j, b);
  }

  // Forced cuts that the plan leaves out, ascending.
  std::vector<int> Dropped(int layers, int j, const State& last) {
    std::vector<int> dropped;
    State state = last;
    while (j > 0) {
      for (int t = j - 1; t > state.from; --t) {
        if (rules_.forced[t]) {
          dropped.push_back(t);
        }
      }
      layers -= cost_.empty(state.from, j) ? 0 : 1;
      j = state.from;
      state = At(layers, j);
    }
    std::reverse(dropped.begin(), dropped.end());
    return dropped;
  }

  const ChainCost& cost_;
  const ChainRules& rules_;
  int n_;
  int limit_;
  std::vector<State> states_;
};

}  // namespace

std::optional<RelaxedPlan> RelaxForcedCuts(const ChainCost& cost,
                                           const ChainRules& rules, int limit) {
  return limit < 0 ? std::nullopt : Relaxation(cost, rules, limit).Best();
}

}  // namespace lamina::ir
