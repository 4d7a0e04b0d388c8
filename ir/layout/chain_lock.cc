#include "ir/layout/chain_lock.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/text.h"
#include "ir/layout/release.h"

namespace lamina::ir {
namespace {

// What a step wrote, without times and names of inodes.
std::string ContentsOf(const TraceStep& step) {
  std::map<absl::string_view, absl::string_view> inodes;  // To the first path.
  Hasher hasher;
  for (const PathEvent& event : step.events) {
    hasher.UpdateField(event.path);
    if (!event.state) {
      hasher.UpdateField("w");
      continue;
    }
    const PathState& state = *event.state;
    hasher.UpdateField(absl::StrCat(static_cast<int>(state.type), " ",
                                    state.mode, " ", state.uid, " ",
                                    state.gid));
    hasher.UpdateField(state.body);
    hasher.UpdateField(
        state.link.empty()
            ? ""
            : inodes.try_emplace(state.link, event.path).first->second);
    for (const auto& [name, value] : state.xattrs) {
      hasher.UpdateField(name);
      hasher.UpdateField(value);
    }
  }
  return hasher.Finish().hex();
}

// Cuts of a lock, found again in the present steps.
class CutFinder {
 public:
  CutFinder(const ChainModel& model, const std::vector<std::string>& names)
      : model_(model) {
    for (size_t step = 0; step < names.size(); ++step) {
      steps_[names[step]] = static_cast<int>(step) + 1;
    }
  }

  // Cuts after the named steps, as far as they are here and in this order;
  // forced cuts added, forbidden ones left out.
  std::vector<int> Find(const std::vector<std::string>& before) const {
    std::vector<bool> cut(model_.cost.positions() + 1);
    int last = 0;
    for (const std::string& name : before) {
      auto step = steps_.find(name);
      if (step != steps_.end() && step->second > last) {
        last = step->second;
        auto end =
            std::lower_bound(model_.ends.begin(), model_.ends.end(), last);
        bool here = *end == last;
        cut[end - model_.ends.begin() + 1] = here;
      }
    }
    std::vector<int> cuts;
    for (int t = 1; t < model_.cost.positions(); ++t) {
      bool legal = !model_.rules.forbidden[t];
      if (model_.rules.forced[t] || (cut[t] && legal)) {
        cuts.push_back(t);
      }
    }
    return CutOffEmpty(model_.cost, model_.rules, cuts);
  }

  std::vector<int> OfLock(const LayerLock& lock) const {
    std::vector<std::string> before;
    for (const LockedLayer& layer : lock.layers) {
      before.push_back(layer.cut);
    }
    return Find(before);
  }

  std::vector<int> OfShadow(const LayerLock& lock) const {
    std::vector<std::string> before;
    for (size_t layer = 0; layer + 1 < lock.shadow.size(); ++layer) {
      std::string last;
      for (const std::string& name : lock.shadow[layer]) {
        last = steps_.contains(name) ? name : last;
      }
      before.push_back(last);
    }
    return Find(before);
  }

 private:
  const ChainModel& model_;
  std::map<std::string, int> steps_;
};

// The layers of these cuts, steps by name; none for what changes nothing.
std::vector<UnitGroup> GroupsOf(const ChainModel& model,
                                const std::vector<std::string>& names,
                                const std::vector<int>& cuts) {
  std::vector<UnitGroup> groups;
  std::vector<int> ends = cuts;
  if (model.cost.positions() > 0) {
    ends.push_back(model.cost.positions());
  }
  int i = 0;
  for (int j : ends) {
    if (!model.cost.empty(i, j)) {
      groups.push_back({.bytes = model.cost.bytes(i, j)});
      for (int step = i == 0 ? 0 : model.ends[i - 1]; step < model.ends[j - 1];
           ++step) {
        groups.back().units.push_back(names[step]);
      }
    }
    i = j;
  }
  return groups;
}

std::vector<std::vector<std::string>> UnitsOf(
    const std::vector<UnitGroup>& groups) {
  std::vector<std::vector<std::string>> units;
  for (const UnitGroup& group : groups) {
    units.push_back(group.units);
  }
  return units;
}

void LockLayers(const std::vector<UnitGroup>& groups, const Release& release,
                LayerLock& lock) {
  std::map<std::string, LockedLayer> before;
  for (const LockedLayer& layer : lock.layers) {
    before[layer.cut] = layer;
  }
  lock.layers.clear();
  for (size_t at = 0; at < groups.size(); ++at) {
    LockedLayer layer = {
        .cut = at + 1 < groups.size() ? groups[at].units.back() : "",
        .role = "normal",
        .bytes = groups[at].bytes};
    // Steps only say that a layer may be the same, its size must agree too.
    auto known = before.find(layer.cut);
    if (known != before.end() && known->second.bytes == layer.bytes &&
        FetchedBytes({groups[at]}, release.moved) == 0 &&
        release.gone.empty()) {
      layer.diff_id = known->second.diff_id;
    }
    lock.layers.push_back(std::move(layer));
  }
}

}  // namespace

std::vector<std::string> StepNames(const Trace& trace) {
  std::map<std::string, int> seen;
  std::vector<std::string> names;
  for (const TraceStep& step : trace.steps) {
    std::string name = step.text.empty() ? step.kind : step.text;
    absl::RemoveExtraAsciiWhitespace(&name);
    name = EscapeControls(name);
    int count = ++seen[name];
    names.push_back(count == 1 ? name : absl::StrCat(name, "#", count));
  }
  return names;
}

ChainDecision DecideChain(const ChainModel& model, const std::vector<int>& best,
                          const LayoutOptions& options, int limit,
                          const LayerLock* lock) {
  std::vector<std::string> names = StepNames(model.trace);
  std::vector<LockUnit> units;
  for (size_t step = 0; step < names.size(); ++step) {
    units.push_back({names[step], ContentsOf(model.trace.steps[step])});
  }
  LayerLock start = StartLock(options, "chain", units);
  Release release = TakeRelease(lock != nullptr ? *lock : start, units);
  ChainDecision decision = {.cuts = best, .lock = release.lock};
  LockStep step = LockStep::kSwitch;
  if (lock != nullptr) {
    CutFinder finder(model, names);
    std::vector<int> kept = finder.OfLock(*lock);
    ChainPlan plan = EvaluateCuts(model.cost, kept);
    std::string why = WhyAnew(*lock, plan.layers, limit, options);
    if (why.empty() && plan.cost > EvaluateVerbatim(model.cost).cost) {
      why = "one layer a step would be cheaper";
    }
    if (why.empty()) {
      std::vector<int> shadow = finder.OfShadow(*lock);
      step = UpdateRegret(GroupsOf(model, names, kept),
                          GroupsOf(model, names, shadow), release,
                          options.relayout, decision.lock);
      bool fits = EvaluateCuts(model.cost, shadow).layers <= limit;
      decision.cuts = step != LockStep::kSwitch ? kept : fits ? shadow : best;
      why = step != LockStep::kSwitch
                ? ""
                : absl::StrCat(
                      "its layers cost updates ",
                      HumanSize(static_cast<uint64_t>(decision.lock.regret)),
                      " more than the new ones");
    }
    decision.note = why.empty() ? "kept" : absl::StrCat("switched: ", why);
  }
  decision.locked = decision.cuts != best;
  if (step != LockStep::kKeep) {
    SetShadow(UnitsOf(GroupsOf(model, names, best)), decision.lock);
  }
  SetSettings(options, decision.lock);
  LockLayers(GroupsOf(model, names, decision.cuts), release, decision.lock);
  return decision;
}

}  // namespace lamina::ir
