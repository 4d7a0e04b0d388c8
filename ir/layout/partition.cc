#include "ir/layout/partition.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "base/status.h"
#include "ir/layout/change_vector.h"
#include "ir/layout/exp_negative.h"

namespace lamina::ir {
namespace {

using Uint128 = unsigned __int128;

constexpr int64_t kImpossible = int64_t{1} << 61;
// Runs are searched in time that grows with the square of the classes.
constexpr size_t kMaxRuns = 2000;

// Sums of neighbouring classes.
struct Run {
  int first = 0;
  int last = 0;
  uint64_t bytes = 0;
  uint64_t rates = 0;
};

Run Join(const Run& a, const Run& b) {
  return {a.first, b.last, a.bytes + b.bytes, a.rates + b.rates};
}

std::vector<Run> SingleRuns(const std::vector<PartitionClass>& classes,
                            const HeatCost& cost) {
  std::vector<Run> runs;
  for (const PartitionClass& one : classes) {
    int at = static_cast<int>(runs.size());
    runs.push_back({at, at, one.bytes, cost.Rate(one.events)});
  }
  return runs;
}

// Joins the neighbours with the least added cost until `limit` are left.
void JoinRuns(std::vector<Run>& runs, const HeatCost& cost, size_t limit) {
  std::vector<int> next(runs.size());
  std::vector<int> before(runs.size());
  std::iota(next.begin(), next.end(), 1);
  std::iota(before.begin(), before.end(), -1);
  std::set<std::pair<int64_t, int>> joins;  // Added cost, the left run.
  auto price = [&](int at) {
    const Run& a = runs[at];
    const Run& b = runs[next[at]];
    Run both = Join(a, b);
    int64_t added = cost.Layer(both.bytes, both.rates) -
                    cost.Layer(a.bytes, a.rates) - cost.Layer(b.bytes, b.rates);
    return std::pair(added, at);
  };
  int count = static_cast<int>(runs.size());
  for (int at = 0; at + 1 < count; ++at) {
    joins.insert(price(at));
  }
  std::vector<bool> gone(runs.size());
  for (size_t left = runs.size(); left > limit; --left) {
    int at = joins.begin()->second;
    int other = next[at];
    joins.erase(joins.begin());
    if (before[at] >= 0) {
      joins.erase(price(before[at]));
    }
    if (next[other] < count) {
      joins.erase(price(other));
      before[next[other]] = at;
    }
    runs[at] = Join(runs[at], runs[other]);
    gone[other] = true;
    next[at] = next[other];
    if (before[at] >= 0) {
      joins.insert(price(before[at]));
    }
    if (next[at] < count) {
      joins.insert(price(at));
    }
  }
  size_t kept = 0;
  for (size_t at = 0; at < runs.size(); ++at) {
    if (!gone[at]) {
      runs[kept++] = runs[at];
    }
  }
  runs.resize(kept);
}

// The recurrence of optimiser.md 5.5 without rules: f[k][j], and where the
// last layer begins.
struct RunTable {
  std::vector<std::vector<int64_t>> best;
  std::vector<std::vector<int>> from;
};

RunTable FillTable(const std::vector<Run>& runs, const HeatCost& cost,
                   int limit) {
  int n = static_cast<int>(runs.size());
  RunTable table;
  table.best.assign(limit + 1, std::vector<int64_t>(n + 1, kImpossible));
  table.from.assign(limit + 1, std::vector<int>(n + 1, 0));
  table.best[0][0] = 0;
  std::vector<int64_t> costs(n);
  for (int j = 1; j <= n; ++j) {
    uint64_t bytes = 0;
    uint64_t rates = 0;
    for (int i = j - 1; i >= 0; --i) {
      bytes += runs[i].bytes;
      rates += runs[i].rates;
      costs[i] = cost.Layer(bytes, rates);
    }
    for (int k = 1; k <= std::min(limit, j); ++k) {
      const std::vector<int64_t>& fewer = table.best[k - 1];
      for (int i = k - 1; i < j; ++i) {
        int64_t next = fewer[i] + costs[i];
        if (next < table.best[k][j]) {
          table.best[k][j] = next;
          table.from[k][j] = i;
        }
      }
    }
  }
  return table;
}

struct Sums {
  uint64_t bytes = 0;
  uint64_t rates = 0;
};

// A plan whose classes can change their layer.
class Mover {
 public:
  Mover(const std::vector<PartitionClass>& classes, const HeatCost& cost,
        int limit, const PartitionPlan& plan)
      : classes_(classes),
        cost_(cost),
        layers_(std::max<size_t>(limit, plan.layers.size())),
        home_(classes.size()) {
    for (size_t layer = 0; layer < plan.layers.size(); ++layer) {
      for (int one : plan.layers[layer]) {
        home_[one] = layer;
        layers_[layer] = With(layers_[layer], SumsOf(one));
      }
    }
  }

  // Moves one class to the layer that gains most, if any does.
  void Move(int one) {
    Sums sums = SumsOf(one);
    Sums& old = layers_[home_[one]];
    Sums without = {old.bytes - sums.bytes, old.rates - sums.rates};
    int64_t freed = Price(without) - Price(old);
    int64_t best = 0;
    size_t target = home_[one];
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      const Sums& to = layers_[layer];
      int64_t change = freed + Price(With(to, sums)) - Price(to);
      if (layer != home_[one] && change < best) {
        best = change;
        target = layer;
      }
    }
    old = without;
    layers_[target] = With(layers_[target], sums);
    home_[one] = target;
  }

  PartitionPlan Plan() const {
    std::vector<std::vector<int>> members(layers_.size());
    for (size_t one = 0; one < classes_.size(); ++one) {
      members[home_[one]].push_back(static_cast<int>(one));
    }
    PartitionPlan plan;
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      plan.cost += Price(layers_[layer]);
      if (!members[layer].empty()) {
        plan.layers.push_back(std::move(members[layer]));
      }
    }
    return plan;
  }

 private:
  static Sums With(const Sums& a, const Sums& b) {
    return {a.bytes + b.bytes, a.rates + b.rates};
  }
  Sums SumsOf(int one) const {
    return {classes_[one].bytes, cost_.Rate(classes_[one].events)};
  }
  int64_t Price(const Sums& sums) const {  // A rate is never 0.
    return sums.rates == 0 ? 0 : cost_.Layer(sums.bytes, sums.rates);
  }

  const std::vector<PartitionClass>& classes_;
  const HeatCost& cost_;
  std::vector<Sums> layers_;
  std::vector<size_t> home_;  // The layer of each class.
};

}  // namespace

std::vector<PartitionClass> FindClasses(
    const std::vector<PartitionItem>& items) {
  std::vector<PartitionClass> classes;
  std::map<std::string, size_t> by_vector;
  for (size_t item = 0; item < items.size(); ++item) {
    int events = CountEvents(items[item].changed);
    size_t at = classes.size();
    if (events >= 2) {
      at = by_vector.try_emplace(CanonicalVector(items[item].changed), at)
               .first->second;
    }
    if (at == classes.size()) {
      classes.push_back({.events = events});
    }
    classes[at].items.push_back(static_cast<int>(item));
    classes[at].bytes += items[item].bytes;
  }
  return classes;
}

void SortByHeat(std::vector<PartitionClass>& classes) {
  auto heat = [](const PartitionClass& x, const PartitionClass& y) {
    return static_cast<Uint128>(2 * x.events + 1) * y.bytes;
  };
  std::sort(classes.begin(), classes.end(),
            [&heat](const PartitionClass& x, const PartitionClass& y) {
              if (heat(x, y) != heat(y, x)) {
                return heat(x, y) < heat(y, x);
              }
              return x.bytes != y.bytes ? x.bytes > y.bytes
                                        : x.items.front() < y.items.front();
            });
}

uint64_t HeatCost::Rate(int events) const {
  return (static_cast<uint64_t>(2 * events + 1) << 31) /
         static_cast<uint64_t>(epochs_ + 10);
}

uint64_t HeatCost::Probability(uint64_t rates) {
  return ((uint64_t{1} << 32) - ExpNegative(rates)) >> 12;
}

int64_t HeatCost::Layer(uint64_t bytes, uint64_t rates) const {
  // Of so many bytes an update changes so many.
  Uint128 update = static_cast<Uint128>(bytes) * Probability(rates) >> 20;
  return 1000 * weights_.gamma +
         (weights_.alpha + weights_.delta) * static_cast<int64_t>(bytes) +
         weights_.beta * static_cast<int64_t>(update);
}

PartitionPlan PlanRuns(const std::vector<PartitionClass>& classes,
                       const HeatCost& cost, int limit,
                       std::vector<int64_t>* row) {
  CHECK(limit >= 1);
  if (classes.empty()) {
    return {};
  }
  std::vector<Run> runs = SingleRuns(classes, cost);
  JoinRuns(runs, cost, kMaxRuns);
  int n = static_cast<int>(runs.size());
  limit = std::min(limit, n);
  RunTable table = FillTable(runs, cost, limit);
  int best = 1;
  for (int k = 1; k <= limit; ++k) {
    best = table.best[k][n] < table.best[best][n] ? k : best;
    if (row != nullptr) {
      row->push_back(table.best[k][n]);
    }
  }
  PartitionPlan plan = {.cost = table.best[best][n]};
  for (int j = n; j > 0; --best) {
    int i = table.from[best][j];
    std::vector<int> layer(runs[j - 1].last - runs[i].first + 1);
    std::iota(layer.begin(), layer.end(), runs[i].first);
    plan.layers.push_back(std::move(layer));
    j = i;
  }
  std::reverse(plan.layers.begin(), plan.layers.end());
  return plan;
}

PartitionPlan MoveClasses(const std::vector<PartitionClass>& classes,
                          const HeatCost& cost, int limit,
                          const PartitionPlan& plan) {
  std::vector<int> order(classes.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&classes](int a, int b) {
    return classes[a].bytes != classes[b].bytes
               ? classes[a].bytes > classes[b].bytes
               : classes[a].items < classes[b].items;
  });
  Mover mover(classes, cost, limit, plan);
  for (int one : order) {
    mover.Move(one);
  }
  return mover.Plan();
}

ItemPartition ItemsOf(const std::vector<PartitionClass>& classes,
                      const PartitionPlan& plan) {
  ItemPartition partition = {.cost = plan.cost};
  for (const std::vector<int>& layer : plan.layers) {
    std::vector<int> items;
    for (int one : layer) {
      items.insert(items.end(), classes[one].items.begin(),
                   classes[one].items.end());
    }
    std::sort(items.begin(), items.end());
    partition.layers.push_back(std::move(items));
  }
  return partition;
}

ItemPartition PlanPartition(const std::vector<PartitionItem>& items,
                            const HeatCost& cost, int limit) {
  std::vector<PartitionClass> classes = FindClasses(items);
  SortByHeat(classes);
  PartitionPlan plan = PlanRuns(classes, cost, limit, nullptr);
  return ItemsOf(classes, MoveClasses(classes, cost, limit, plan));
}

}  // namespace lamina::ir
