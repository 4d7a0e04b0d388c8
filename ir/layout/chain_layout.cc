#include "ir/layout/chain_layout.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

using Int128 = __int128;

// The programme's tables grow with the square of the positions.
constexpr int kMaxPositions = 2000;

// Bytes that an entry holds until the step that makes it dead.
struct ShortEntry {
  int path;
  int begin;
  int end;
  int value;
  bool returns;  // The path has this state at other times too.
  bool metadata;
  uint64_t bytes;
};

struct DeadShare {
  uint64_t metadata = 0;
  uint64_t other = 0;
  int guilty = 0;
};

// Finds what a layer holds that the next one hides.
class DeadIndex {
 public:
  explicit DeadIndex(const PathHistories& histories) : histories_(histories) {
    for (int path = 0; path < histories.size(); ++path) {
      absl::Span<const StateInterval> all = histories.intervals(path);
      for (size_t at = 1; at + 1 < all.size(); ++at) {
        if (all[at].state != nullptr) {
          Add(path, at, all);
        }
      }
    }
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const ShortEntry& a, const ShortEntry& b) {
                       return a.begin < b.begin;
                     });
  }

  // Of layer (i, t], when the next one is (t, j].
  DeadShare Between(int i, int t, int j) const {
    DeadShare share;
    std::map<int, uint64_t> by_step;
    auto entry = std::partition_point(
        entries_.begin(), entries_.end(),
        [i](const ShortEntry& one) { return one.begin <= i; });
    for (; entry != entries_.end() && entry->begin <= t; ++entry) {
      bool inside = entry->end > t && entry->end <= j;
      if (inside && !(entry->returns && IsBackAt(*entry, i, j))) {
        (entry->metadata ? share.metadata : share.other) += entry->bytes;
        by_step[entry->end] += entry->bytes;
      }
    }
    for (const auto& [step, bytes] : by_step) {
      share.guilty = share.guilty == 0 || bytes > by_step[share.guilty]
                         ? step
                         : share.guilty;
    }
    return share;
  }

 private:
  void Add(int path, size_t at, absl::Span<const StateInterval> all) {
    const StateInterval& interval = all[at];
    auto same = [&interval](const StateInterval& other) {
      return other.value == interval.value;
    };
    bool metadata = CauseOfDeath(*interval.state, all[at + 1].state) ==
                    DeadCause::kMetadata;
    StatePiece piece = histories_.PieceAt(path, at, interval.begin);
    entries_.push_back(
        {.path = path,
         .begin = interval.begin,
         .end = all[at + 1].begin,
         .value = interval.value,
         .returns = std::count_if(all.begin(), all.end(), same) > 1,
         .metadata = metadata,
         .bytes = EntryWeight(*interval.state, piece)});
  }

  // The layer had no such entry, or the next one has none.
  bool IsBackAt(const ShortEntry& entry, int i, int j) const {
    return histories_.At(entry.path, i).value == entry.value ||
           histories_.At(entry.path, j).value == entry.value;
  }

  const PathHistories& histories_;
  std::vector<ShortEntry> entries_;  // By `begin`.
};

// Two neighbouring layers (i, t] and (t, j] beside one (i, j].
class Comparison {
 public:
  Comparison(const ChainCost& cost, const CostWeights& weights, int i, int t,
             int j)
      : cost_(cost), weights_(weights), i_(i), t_(t), j_(j) {}

  int64_t stored() const { return Z(i_, t_) + Z(t_, j_) - Z(i_, j_); }
  int64_t update() const {
    Int128 fetched = Fetched(i_, t_) + Fetched(t_, j_) - Fetched(i_, j_);
    return static_cast<int64_t>(fetched / cost_.total_weight());
  }
  int64_t cost() const {
    return cost_.cost(i_, t_) + cost_.cost(t_, j_) - cost_.cost(i_, j_);
  }
  int64_t cost_bytes() const { return cost_.ToBytes(cost()); }

  MergeReason Reason(bool forbidden, const CutContext& context,
                     const DeadShare& dead) const {
    if (Z(i_, t_) == 0 || Z(t_, j_) == 0) {
      return MergeReason::kEmpty;
    }
    if (forbidden) {
      return MergeReason::kPragma;
    }
    if (cost() < 0 && context.locked) {
      return MergeReason::kLock;
    }
    if (cost() < 0 && context.budget_binds) {
      return MergeReason::kBudget;
    }
    // What the bytes that would be stored twice cost alone.
    Int128 rate =
        Int128{cost_.total_weight()} * (weights_.alpha + weights_.delta) +
        Int128{weights_.beta} * cost_.changed(i_, j_);
    if (2 * rate * stored() > cost() && dead.metadata + dead.other > 0) {
      return dead.metadata > dead.other ? MergeReason::kMetadata
                                        : MergeReason::kDeadBytes;
    }
    return cost_.changed(i_, t_) == cost_.changed(t_, j_)
               ? MergeReason::kSameChange
               : MergeReason::kTooSmall;
  }

 private:
  int64_t Z(int i, int j) const {
    return static_cast<int64_t>(cost_.bytes(i, j));
  }
  Int128 Fetched(int i, int j) const {
    return Int128{Z(i, j)} * cost_.changed(i, j);
  }

  const ChainCost& cost_;
  const CostWeights& weights_;
  int i_;
  int t_;
  int j_;
};

// Cuts with both ends.
std::vector<int> Borders(const ChainModel& model,
                         const std::vector<int>& cuts) {
  std::vector<int> borders = {0};
  borders.insert(borders.end(), cuts.begin(), cuts.end());
  if (model.cost.positions() > 0) {
    borders.push_back(model.cost.positions());
  }
  return borders;
}

std::string WhoForces(const Trace& trace, int step) {
  std::string why;
  for (const CutRule& cut : trace.cuts) {
    if (cut.step == step && cut.forced) {
      absl::StrAppend(&why, why.empty() ? "" : ", ", cut.why);
    }
  }
  return why;
}

}  // namespace

absl::StatusOr<ChainModel> PrepareChain(
    const Trace& trace, const CostWeights& weights,
    const std::optional<std::vector<std::string>>& published) {
  ASSIGN_OR_RETURN(std::vector<int> ends,
                   ChoosePositions(trace, weights, kMaxPositions));
  return PrepareChainAt(trace, std::move(ends), weights, published);
}

absl::StatusOr<ChainModel> PrepareChainAt(
    const Trace& trace, std::vector<int> ends, const CostWeights& weights,
    const std::optional<std::vector<std::string>>& published) {
  ASSIGN_OR_RETURN(PathHistories histories,
                   PathHistories::Collect(trace, ends));
  ChainCost cost(histories, trace.epochs, ends, weights, published);
  ChainRules rules = {std::vector<bool>(ends.size() + 1),
                      std::vector<bool>(ends.size() + 1)};
  for (const CutRule& cut : trace.cuts) {
    auto end = std::lower_bound(ends.begin(), ends.end(), cut.step);
    if (end != ends.end() && *end == cut.step) {
      (cut.forced ? rules.forced : rules.forbidden)[end - ends.begin() + 1] =
          true;
    }
  }
  return ChainModel{trace, std::move(ends), std::move(histories),
                    std::move(cost), std::move(rules)};
}

void DescribeLayers(const ChainModel& model, const std::vector<int>& cuts,
                    Layout& layout) {
  const ChainCost& cost = model.cost;
  std::vector<int> borders = Borders(model, cuts);
  std::vector<uint64_t> dead = DeadInLayers(
      model.histories, std::vector<int>(borders.begin() + 1, borders.end()));
  layout.layers.clear();
  layout.total_weight = cost.total_weight();
  Int128 fetched = 0;
  layout.stored = 0;
  for (size_t at = 1; at < borders.size(); ++at) {
    int i = borders[at - 1];
    int j = borders[at];
    if (cost.empty(i, j)) {
      continue;
    }
    SegmentKey key = cost.key(i, j);
    layout.layers.push_back({.first = i == 0 ? 1 : model.ends[i - 1] + 1,
                             .last = model.ends[j - 1],
                             .bytes = cost.bytes(i, j),
                             .dead_bytes = dead[at - 1],
                             .changed = cost.changed(i, j),
                             .key = key == 0 ? "" : SegmentKeyText(key)});
    layout.stored += cost.bytes(i, j);
    fetched += Int128{cost.changed(i, j)} * cost.bytes(i, j);
  }
  layout.update = static_cast<uint64_t>(fetched / cost.total_weight());
}

void ExplainCuts(const ChainModel& model, const std::vector<int>& cuts,
                 const CostWeights& weights, const CutContext& context,
                 Layout& layout) {
  DeadIndex dead(model.histories);
  std::vector<int> borders = Borders(model, cuts);
  auto step = [&model](int position) {
    return position == 0 ? 0 : model.ends[position - 1];
  };
  size_t segment = 1;
  int last_step = static_cast<int>(model.trace.steps.size());
  int position = 1;
  for (int at = 1; at < last_step; ++at) {
    if (at != step(position)) {  // Joined before the programme.
      layout.merges.push_back({.step = at});
      continue;
    }
    int t = position++;
    int i = borders[segment - 1];
    int j = borders[segment];
    bool is_cut = t == j;
    if (is_cut) {
      j = borders[++segment];
    }
    Comparison apart(model.cost, weights, i, t, j);
    DeadShare share = dead.Between(i, t, j);
    int guilty = step(share.guilty);
    if (is_cut) {
      layout.cuts.push_back({.step = at,
                             .forced = WhoForces(model.trace, at),
                             .saves = -apart.cost_bytes(),
                             .dead_bytes = share.metadata + share.other,
                             .guilty = guilty});
      continue;
    }
    MergeReason reason = apart.Reason(model.rules.forbidden[t], context, share);
    bool twice =
        reason == MergeReason::kMetadata || reason == MergeReason::kDeadBytes;
    layout.merges.push_back({.step = at,
                             .reason = reason,
                             .stored = apart.stored(),
                             .update = apart.update(),
                             .cost = apart.cost_bytes(),
                             .guilty = twice ? guilty : 0});
  }
}

std::vector<CurvePoint> DrawCurve(const ChainModel& model,
                                  const ChainProgramme& programme) {
  std::vector<CurvePoint> curve;
  for (int layers = 0; layers <= programme.max_layers(); ++layers) {
    std::optional<int64_t> cost = programme.Cost(layers);
    if (!cost) {
      continue;
    }
    CurvePoint point = {.layers = layers, .cost = model.cost.ToBytes(*cost)};
    std::vector<int> borders = Borders(model, programme.Plan(layers).cuts);
    Int128 fetched = 0;
    for (size_t at = 1; at < borders.size(); ++at) {
      uint64_t bytes = model.cost.bytes(borders[at - 1], borders[at]);
      point.stored += bytes;
      fetched +=
          Int128{model.cost.changed(borders[at - 1], borders[at])} * bytes;
    }
    point.update = static_cast<uint64_t>(fetched / model.cost.total_weight());
    curve.push_back(point);
  }
  return curve;
}

}  // namespace lamina::ir
