#include "ir/layout/chain.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "base/status.h"

namespace lamina::ir {
namespace {

using Int128 = __int128;

// Costs stay below, so that two of them can be added.
constexpr int64_t kImpossible = int64_t{1} << 61;
// An empty segment: it costs nothing and counts for no layer.
constexpr int64_t kFree = -1;

// Whether no sum of costs can reach kImpossible: each position ends at most
// one segment, which is at most as large as the largest that ends there.
bool CostsFit(const SegmentTable<SegmentSize>& sizes, int n, int64_t weight,
              const CostWeights& weights) {
  Int128 bytes = 0;
  for (int j = 1; j <= n; ++j) {
    uint64_t largest = 0;
    for (int i = 0; i < j; ++i) {
      largest = std::max(largest, sizes(i, j).bytes);
    }
    bytes += largest;
  }
  Int128 rate =
      Int128{weights.alpha} + weights.beta + weights.delta + weights.rho;
  Int128 layers = Int128{1000} * weights.gamma * n;
  return weight * (rate * bytes + layers) < kImpossible;
}

}  // namespace

ChainCost::ChainCost(const PathHistories& histories,
                     const std::vector<Epoch>& epochs,
                     const std::vector<int>& ends, const CostWeights& weights,
                     const std::optional<std::vector<std::string>>& published)
    : positions_(histories.positions()),
      sizes_(SegmentSizes(histories)),
      costs_(positions_),
      has_keys_(published.has_value()) {
  std::vector<Epoch> scaled = epochs;
  total_weight_ = TotalWeight(scaled);
  while (!CostsFit(sizes_, positions_, total_weight_, weights) &&
         total_weight_ > static_cast<int64_t>(scaled.size())) {
    for (Epoch& epoch : scaled) {
      epoch.weight = epoch.weight / 2 + epoch.weight % 2;
    }
    total_weight_ = TotalWeight(scaled);
  }
  changed_ = ChangeWeights(scaled, ends);
  std::set<std::string> known;
  if (has_keys_) {
    known.insert(published->begin(), published->end());
    keys_ = SegmentKeys(histories);
  }
  int64_t w = total_weight_;
  for (int j = 1; j <= positions_; ++j) {
    for (int i = 0; i < j; ++i) {
      auto z = static_cast<int64_t>(sizes_(i, j).bytes);
      if (z == 0) {
        continue;
      }
      bool is_new = has_keys_ && weights.rho != 0 &&
                    !known.contains(SegmentKeyText(keys_(i, j)));
      int64_t rate =
          w * (weights.alpha + weights.delta + (is_new ? weights.rho : 0)) +
          weights.beta * changed_(i, j);
      costs_.Set(i, j, 1000 * w * weights.gamma + rate * z);
    }
  }
}

SegmentKey ChainCost::key(int i, int j) const {
  return has_keys_ ? keys_(i, j) : SegmentKey();
}

int64_t ChainCost::ToBytes(int64_t cost) const {
  return cost / (1000 * total_weight_);
}

ChainProgramme::ChainProgramme(const ChainCost& cost, const ChainRules& rules,
                               int max_layers)
    : cost_(cost),
      rules_(rules),
      n_(cost.positions()),
      max_layers_(std::max(0, std::min(max_layers, cost.positions()))),
      best_(static_cast<size_t>(max_layers_ + 1) * (n_ + 1), kImpossible),
      from_(best_.size(), -1) {
  best_[0] = 0;
  std::vector<int64_t> costs(n_);
  for (int j = 1; j <= n_; ++j) {
    LegalCosts(j, costs);
    for (int layers = 0; layers <= std::min(max_layers_, j); ++layers) {
      Fill(layers, j, costs);
    }
  }
}

void ChainProgramme::LegalCosts(int j, std::vector<int64_t>& costs) const {
  // From here back to the last forced cut.
  int first = j - 1;
  while (first > 0 && !rules_.forced[first]) {
    --first;
  }
  bool may_end = j == n_ || !rules_.forbidden[j];
  for (int i = 0; i < j; ++i) {
    bool legal = may_end && i >= first && (i == 0 || !rules_.forbidden[i]);
    costs[i] = !legal              ? kImpossible
               : cost_.empty(i, j) ? kFree
                                   : cost_.cost(i, j);
  }
}

void ChainProgramme::Fill(int layers, int j,
                          const std::vector<int64_t>& costs) {
  size_t row = static_cast<size_t>(layers) * (n_ + 1);
  const int64_t* same = &best_[row];
  const int64_t* fewer = layers > 0 ? same - (n_ + 1) : nullptr;
  int64_t best = kImpossible;
  int from = -1;
  // Positions before `layers - 1` hold no plan of so many layers.
  for (int i = std::max(layers - 1, 0); i < j; ++i) {
    int64_t next = kImpossible;
    if (costs[i] == kFree) {
      next = same[i];
    } else if (fewer != nullptr) {
      next = fewer[i] + costs[i];
    }
    if (next < best) {
      best = next;
      from = i;
    }
  }
  best_[row + j] = best;
  from_[row + j] = from;
}

std::optional<int64_t> ChainProgramme::Cost(int layers) const {
  int64_t cost = best_[static_cast<size_t>(layers) * (n_ + 1) + n_];
  return cost < kImpossible ? std::optional(cost) : std::nullopt;
}

ChainPlan ChainProgramme::Plan(int layers) const {
  CHECK(Cost(layers).has_value());
  ChainPlan plan = {.cost = *Cost(layers), .layers = layers};
  for (int j = n_; j > 0;) {
    int i = from_[static_cast<size_t>(layers) * (n_ + 1) + j];
    layers -= cost_.empty(i, j) ? 0 : 1;
    if (i > 0) {
      plan.cuts.push_back(i);
    }
    j = i;
  }
  std::reverse(plan.cuts.begin(), plan.cuts.end());
  return plan;
}

int64_t ChainProgramme::Ties(int layers) const {
  std::vector<std::vector<int64_t>> sets(layers + 1,
                                         std::vector<int64_t>(n_ + 1));
  sets[0][0] = 1;
  std::vector<int64_t> costs(n_);
  for (int j = 1; j <= n_; ++j) {
    LegalCosts(j, costs);
    for (int k = 0; k <= layers; ++k) {
      for (int i = 0; i < j && At(k, j) < kImpossible; ++i) {
        bool free = costs[i] == kFree;
        int before = k - (free ? 0 : 1);
        if (before < 0 || At(before, i) + (free ? 0 : costs[i]) != At(k, j)) {
          continue;
        }
        int64_t& sum = sets[k][j];
        sum = sum > INT64_MAX - sets[before][i] ? INT64_MAX
                                                : sum + sets[before][i];
      }
    }
  }
  return sets[layers][n_];
}

std::optional<ChainPlan> ChainProgramme::Best(int limit) const {
  int best = -1;
  for (int layers = 0; layers <= std::min(limit, max_layers_); ++layers) {
    std::optional<int64_t> cost = Cost(layers);
    if (cost && (best < 0 || *cost < *Cost(best))) {
      best = layers;
    }
  }
  return best < 0 ? std::nullopt : std::optional(Plan(best));
}

int ChainProgramme::Knee() const {
  std::optional<ChainPlan> best = Best(max_layers_);
  for (int layers = 0; best && layers <= max_layers_; ++layers) {
    std::optional<int64_t> cost = Cost(layers);
    if (cost && *cost - best->cost <= best->cost / 5) {
      return layers;
    }
  }
  return 0;
}

ChainPlan EvaluateCuts(const ChainCost& cost, const std::vector<int>& cuts) {
  ChainPlan plan = {.cuts = cuts};
  int i = 0;
  auto add = [&](int j) {
    plan.cost += cost.cost(i, j);
    plan.layers += cost.empty(i, j) ? 0 : 1;
    i = j;
  };
  for (int cut : cuts) {
    add(cut);
  }
  if (i < cost.positions()) {
    add(cost.positions());
  }
  return plan;
}

ChainPlan EvaluateVerbatim(const ChainCost& cost) {
  std::vector<int> cuts(std::max(0, cost.positions() - 1));
  std::iota(cuts.begin(), cuts.end(), 1);
  return EvaluateCuts(cost, cuts);
}

std::vector<int> CutOffEmpty(const ChainCost& cost, const ChainRules& rules,
                             const std::vector<int>& cuts) {
  std::vector<int> ends = cuts;
  ends.push_back(cost.positions());
  std::vector<int> more;
  int i = 0;
  for (int j : ends) {
    // (i, a] and (b, j] are empty. Ties as in the programme: the last segment
    // begins as early as it can.
    auto best = std::tuple(cost.cost(i, j), i, i, j);
    for (int a = i; a < j && !cost.empty(i, j); ++a) {
      for (int b = j; b > a; --b) {
        bool legal = (a == i || (cost.empty(i, a) && !rules.forbidden[a])) &&
                     (b == j || (cost.empty(b, j) && !rules.forbidden[b]));
        if (legal) {
          best =
              std::min(best, std::tuple(cost.cost(a, b), b < j ? b : a, a, b));
        }
        if (b == j && a > i && !cost.empty(i, a)) {
          break;
        }
      }
    }
    auto [price, last, a, b] = best;
    for (int cut : {i, a, b}) {
      if (cut > 0 && cut < cost.positions() &&
          (more.empty() || more.back() < cut)) {
        more.push_back(cut);
      }
    }
    i = j;
  }
  return more;
}

}  // namespace lamina::ir
