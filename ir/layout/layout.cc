#include "ir/layout/layout.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/layout/chain_layout.h"
#include "ir/layout/chain_lock.h"
#include "ir/layout/change_vector.h"
#include "ir/layout/partition_lock.h"

namespace lamina::ir {
namespace {

using Int128 = __int128;

// Up to so many steps the curve has a point for each number of layers; beyond,
// only up to one more layer than is allowed.
constexpr int kFullCurve = 512;

absl::Status CheckTrace(const Trace& trace) {
  int n = static_cast<int>(trace.steps.size());
  auto wrong = [&trace](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("the trace `", trace.name, "` ", what));
  };
  for (const CutRule& cut : trace.cuts) {
    if (cut.step < 1 || cut.step >= n) {
      return wrong(absl::StrCat("has a cut after step ", cut.step, " of ", n));
    }
    for (const CutRule& other : trace.cuts) {
      if (cut.step == other.step && cut.forced && !other.forced) {
        return wrong(
            absl::StrCat("forces and forbids a cut after step ", cut.step));
      }
    }
  }
  for (const Epoch& epoch : trace.epochs) {
    bool known = epoch.weight > 0 &&
                 std::is_sorted(epoch.steps.begin(), epoch.steps.end());
    for (int step : epoch.steps) {
      known = known && step >= 1 && step <= n;
    }
    if (!known) {
      return wrong("has an epoch of steps that are not there, or no weight");
    }
  }
  return absl::OkStatus();
}

// A whole layout in bytes of cost.
int64_t CostOf(const Layout& layout, const CostWeights& weights) {
  auto layers = static_cast<int64_t>(layout.layers.size());
  Int128 cost = Int128{weights.alpha + weights.delta} * layout.stored +
                Int128{weights.beta} * layout.update;
  return layers * weights.gamma + static_cast<int64_t>(cost / 1000);
}

class Planner {
 public:
  Planner(const Trace& trace, const LayoutOptions& options,
          const LayerLock* lock)
      : trace_(trace), options_(options), lock_(lock) {
    int steps = static_cast<int>(trace.steps.size());
    limit_ = options.own_limit.value_or(trace.budget.value_or(steps));
  }

  absl::StatusOr<LayoutResult> Plan() {
    ASSIGN_OR_RETURN(PathHistories histories, PathHistories::Collect(trace_));
    Layout verbatim = Verbatim(histories);
    absl::StatusOr<LayoutResult> result;
    switch (options_.mode) {
      case LayoutMode::kVerbatim:
        result = PlanVerbatim(verbatim);
        break;
      case LayoutMode::kOne:
        result = PlanOne();
        break;
      case LayoutMode::kChain:
      case LayoutMode::kPartition:
        result = PlanSteps(histories, verbatim);
        break;
    }
    if (result.ok() && result->layout) {
      Layout& layout = *result->layout;
      layout.verbatim_stored = verbatim.stored;
      layout.verbatim_update = verbatim.update;
      layout.epochs_source = options_.epochs_source;
    }
    return result;
  }

 private:
  // One layer a step, those without effect left out.
  Layout Verbatim(const PathHistories& histories) const {
    Layout layout = {.mode = LayoutMode::kVerbatim,
                     .total_weight = TotalWeight(trace_.epochs)};
    std::vector<uint64_t> sizes = SizesOfNeighbours(histories).single;
    std::vector<int> ends(sizes.size());
    std::iota(ends.begin(), ends.end(), 1);
    std::vector<uint64_t> dead = DeadInLayers(histories, ends);
    std::vector<int64_t> changed(sizes.size());
    for (const Epoch& epoch : trace_.epochs) {
      for (int step : epoch.steps) {
        changed[step - 1] += epoch.weight;
      }
    }
    Int128 fetched = 0;
    for (size_t at = 0; at < sizes.size(); ++at) {
      if (sizes[at] > 0) {
        int step = static_cast<int>(at) + 1;
        layout.layers.push_back({.first = step,
                                 .last = step,
                                 .bytes = sizes[at],
                                 .dead_bytes = dead[at],
                                 .changed = changed[at]});
        layout.stored += sizes[at];
        fetched += Int128{changed[at]} * sizes[at];
      }
    }
    layout.update = static_cast<uint64_t>(fetched / layout.total_weight);
    return layout;
  }

  absl::StatusOr<LayoutResult> PlanVerbatim(const Layout& verbatim) {
    size_t layers =
        options_.keep_empty ? trace_.steps.size() : verbatim.layers.size();
    ASSIGN_OR_RETURN(ChainModel model, Prepare());
    if (static_cast<int>(layers) > limit_) {
      return LayoutResult{.problem = VerbatimProblem(
                              model, static_cast<int>(layers), verbatim)};
    }
    Layout layout = verbatim;
    if (model.ends.size() == trace_.steps.size()) {
      std::vector<int> cuts;
      for (int t = 1; t < model.cost.positions(); ++t) {
        cuts.push_back(t);
      }
      ExplainCuts(model, cuts, options_.weights, {}, layout);
    }
    return LayoutResult{.layout = std::move(layout)};
  }

  // What to merge so that the steps fit, if any cut is as good as another.
  LimitProblem VerbatimProblem(const ChainModel& model, int layers,
                               const Layout& verbatim) const {
    LimitProblem problem = {.needed = layers, .limit = limit_};
    size_t positions = model.rules.forced.size();
    ChainRules free = {std::vector<bool>(positions),
                       std::vector<bool>(positions)};
    ChainProgramme programme(model.cost, free, limit_);
    std::optional<ChainPlan> best = programme.Best(limit_);
    if (!best || limit_ < 1) {
      return problem;
    }
    Layout merged;
    DescribeLayers(model, best->cuts, merged);
    ExplainCuts(model, best->cuts, options_.weights, {.budget_binds = true},
                merged);
    problem.merges = std::move(merged.merges);
    SetChanges(merged, verbatim, problem);
    return problem;
  }

  static void SetChanges(const Layout& after, const Layout& before,
                         LimitProblem& problem) {
    problem.stored_change = static_cast<int64_t>(after.stored - before.stored);
    problem.update_change = static_cast<int64_t>(after.update - before.update);
  }

  absl::StatusOr<LayoutResult> PlanOne() {
    std::vector<int> ends;
    if (!trace_.steps.empty()) {
      ends.push_back(static_cast<int>(trace_.steps.size()));
    }
    ASSIGN_OR_RETURN(
        ChainModel model,
        PrepareChainAt(trace_, ends, options_.weights, options_.published));
    Layout layout = {.mode = LayoutMode::kOne};
    DescribeLayers(model, {}, layout);
    if (static_cast<int>(layout.layers.size()) > std::max(limit_, 0)) {
      return LayoutResult{.problem =
                              LimitProblem{.needed = 1, .limit = limit_}};
    }
    return LayoutResult{.layout = std::move(layout)};
  }

  absl::StatusOr<ChainModel> Prepare() const {
    return PrepareChain(trace_, options_.weights, options_.published);
  }

  // Chain or partition.
  absl::StatusOr<LayoutResult> PlanSteps(const PathHistories& histories,
                                         const Layout& verbatim) {
    ASSIGN_OR_RETURN(ChainModel model, Prepare());
    int n = model.cost.positions();
    int rows = n <= kFullCurve ? n : std::min(n, std::max(limit_, 0) + 1);
    ChainProgramme programme(model.cost, model.rules, rows);
    std::optional<ChainPlan> best = programme.Best(limit_);
    if (!best) {
      return LayoutResult{.problem = ChainProblem(model)};
    }
    std::optional<Layout> partition = TryPartition(histories);
    Layout layout = ChainLayout(model, *best);
    if (partition && IsPreferred(*partition, layout, verbatim)) {
      layout = *std::move(partition);
    }
    layout.curve = DrawCurve(model, programme);
    layout.knee = programme.Knee();
    if (limit_ < programme.max_layers()) {
      layout.next_layer_saves =
          model.cost.ToBytes(best->cost - programme.Best(limit_ + 1)->cost);
    }
    return LayoutResult{.layout = std::move(layout)};
  }

  const LayerLock* UsableLock(absl::string_view mode) const {
    bool usable =
        lock_ != nullptr && CheckLock(*lock_, options_.target, mode).empty();
    return usable ? lock_ : nullptr;
  }

  void NoteUnusedLock(absl::string_view mode, Layout& layout) const {
    if (lock_ == nullptr || UsableLock(mode) != nullptr) {
      return;
    }
    bool asked =
        options_.relayout == Relayout::kNow && lock_->target == options_.target;
    layout.lock_note =
        asked ? "switched: a new layout was asked for"
              : absl::StrCat("not followed: ",
                             CheckLock(*lock_, options_.target, mode));
  }

  Layout ChainLayout(const ChainModel& model, const ChainPlan& best) const {
    ChainDecision decision =
        DecideChain(model, best.cuts, options_, limit_, UsableLock("chain"));
    Layout layout = {.mode = LayoutMode::kChain,
                     .lock = std::move(decision.lock),
                     .lock_note = std::move(decision.note)};
    NoteUnusedLock("chain", layout);
    DescribeLayers(model, decision.cuts, layout);
    int layers = static_cast<int>(layout.layers.size());
    ExplainCuts(model, decision.cuts, options_.weights,
                {.budget_binds = layers == limit_, .locked = decision.locked},
                layout);
    return layout;
  }

  // A layout by atoms, where one may be.
  std::optional<Layout> TryPartition(const PathHistories& histories) const {
    if (options_.mode != LayoutMode::kPartition || !options_.leaf ||
        !trace_.cuts.empty() || limit_ < 1 ||
        (UsableLock("chain") != nullptr &&
         options_.relayout != Relayout::kNow)) {
      return std::nullopt;
    }
    EpochBits epochs = CountEpochs(trace_);
    std::vector<Atom> atoms = FindAtoms(histories, epochs, options_.read_text);
    PartitionDecision decision = DecidePartition(
        atoms, epochs.epochs, options_, limit_, UsableLock("partition"));
    Layout layout = {.mode = LayoutMode::kPartition,
                     .total_weight = epochs.epochs,
                     .lock = std::move(decision.lock),
                     .lock_note = std::move(decision.note)};
    NoteUnusedLock("partition", layout);
    Int128 fetched = 0;
    // Packages of one step, by the step's change vector.
    std::map<std::string, int> packages;
    for (const Atom& atom : atoms) {
      packages[atom.changed] += atom.package ? 1 : 0;
    }
    for (const PartitionLayer& layer : decision.layers) {
      layout.layers.push_back(LayerOf(layer, atoms, packages, histories));
      const LayoutLayer& made = layout.layers.back();
      layout.stored += made.bytes;
      fetched += Int128{made.changed} * made.bytes;
    }
    layout.update = static_cast<uint64_t>(fetched / layout.total_weight);
    return layout;
  }

  // Each change of a step with packages is assumed to be of one of them.
  static LayoutLayer LayerOf(const PartitionLayer& layer,
                             const std::vector<Atom>& atoms,
                             const std::map<std::string, int>& packages,
                             const PathHistories& histories) {
    LayoutLayer made = {.first = INT32_MAX, .role = layer.role};
    std::vector<int> paths;
    std::string changed;
    int64_t alone = 0;  // Thousandths of events.
    for (int number : layer.atoms) {
      const Atom& atom = atoms[number];
      made.first = std::min(made.first, atom.first_step);
      made.last = std::max(made.last, atom.last_step);
      made.bytes += atom.bytes;
      made.atoms.push_back(atom.id);
      if (atom.package) {
        alone += int64_t{1000} * CountEvents(atom.changed) /
                 packages.at(atom.changed);
      } else {
        changed = JoinVectors(changed, atom.changed);
      }
      paths.insert(paths.end(), atom.paths.begin(), atom.paths.end());
    }
    made.changed = CountEvents(changed) + (alone + 500) / 1000;
    std::sort(paths.begin(), paths.end());
    for (int path : paths) {
      made.paths.emplace_back(histories.path(path));
    }
    return made;
  }

  // A layout that a lock keeps must only be no worse than one layer a step; a
  // new one must be worth leaving the steps' order for.
  bool IsPreferred(const Layout& partition, const Layout& chain,
                   const Layout& verbatim) const {
    int64_t cost = CostOf(partition, options_.weights);
    if (cost > CostOf(verbatim, options_.weights)) {
      return false;
    }
    if (UsableLock("partition") != nullptr) {
      return true;
    }
    return Int128{cost} * 100 < Int128{CostOf(chain, options_.weights)} * 97;
  }

  LimitProblem ChainProblem(const ChainModel& model) const {
    std::vector<int> forced;
    for (int t = 1; t < model.cost.positions(); ++t) {
      if (model.rules.forced[t]) {
        forced.push_back(t);
      }
    }
    ChainPlan all = EvaluateCuts(model.cost, forced);
    LimitProblem problem = {.needed = all.layers, .limit = limit_};
    std::optional<RelaxedPlan> relaxed =
        RelaxForcedCuts(model.cost, model.rules, limit_);
    if (!relaxed) {
      return problem;
    }
    Layout before;
    Layout after;
    DescribeLayers(model, forced, before);
    DescribeLayers(model, relaxed->plan.cuts, after);
    ExplainCuts(model, relaxed->plan.cuts, options_.weights,
                {.budget_binds = true}, after);
    for (int position : relaxed->dropped) {
      int step = model.ends[position - 1];
      for (const LayoutMerge& merge : after.merges) {
        if (merge.step == step) {
          problem.merges.push_back(merge);
        }
      }
      for (const CutRule& cut : trace_.cuts) {
        if (cut.step == step && cut.forced) {
          problem.dropped.push_back(cut);
        }
      }
    }
    SetChanges(after, before, problem);
    return problem;
  }

  const Trace& trace_;
  const LayoutOptions& options_;
  const LayerLock* lock_;
  int limit_;
};

}  // namespace

absl::string_view MergeReasonName(MergeReason reason) {
  switch (reason) {
    case MergeReason::kEmpty:
      return "empty";
    case MergeReason::kPragma:
      return "pragma";
    case MergeReason::kBudget:
      return "budget";
    case MergeReason::kLock:
      return "lock";
    case MergeReason::kMetadata:
      return "metadata";
    case MergeReason::kDeadBytes:
      return "dead-bytes";
    case MergeReason::kSameChange:
      return "same-change";
    case MergeReason::kTooSmall:
      return "too-small";
  }
  CHECK(false);
}

absl::StatusOr<LayoutResult> PlanLayout(const Trace& trace,
                                        const LayoutOptions& options,
                                        const LayerLock* lock) {
  RETURN_IF_ERROR(CheckTrace(trace));
  return Planner(trace, options, lock).Plan();
}

}  // namespace lamina::ir
