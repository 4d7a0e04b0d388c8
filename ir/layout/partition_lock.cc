#include "ir/layout/partition_lock.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "ir/layout/change_vector.h"
#include "ir/layout/partition.h"
#include "ir/layout/release.h"

namespace lamina::ir {
namespace {

using Uint128 = unsigned __int128;

// With so many measured epochs the trace's are not needed any more; before, a
// measured one weighs as much as five of them.
constexpr int kEnoughEpochs = 8;
constexpr int kMeasuredWeight = 5;

// What the planner knows of the pace of each atom.
struct Pace {
  int epochs = 1;
  std::vector<PartitionItem> items;
};

std::string RepeatBits(const std::vector<bool>& bits, int epochs, int times) {
  std::vector<bool> out;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    bool bit = static_cast<size_t>(epoch) < bits.size() && bits[epoch];
    out.insert(out.end(), times, bit);
  }
  return VectorOf(out);
}

Pace FindPace(const std::vector<Atom>& atoms, int epochs,
              const LayerLock& lock) {
  Pace pace = {.epochs = epochs};
  bool enough = lock.epochs >= kEnoughEpochs;
  // The trace's bits stand in the low digits.
  size_t digits = (static_cast<size_t>(epochs) + 3) / 4;
  if (enough) {
    pace.epochs = lock.epochs;
  } else {
    pace.epochs = epochs + kMeasuredWeight * lock.epochs;
  }
  for (const Atom& atom : atoms) {
    auto measured = lock.changed.find(atom.id);
    std::string changed =
        measured == lock.changed.end() ? "0" : measured->second;
    if (!enough) {
      // What a package's step did says nothing of the package.
      std::string assumed = atom.package ? "0" : atom.changed;
      std::string low(digits - std::min(digits, assumed.size()), '0');
      changed = CanonicalVector(absl::StrCat(
          RepeatBits(EpochsOf(changed), lock.epochs, kMeasuredWeight), low,
          assumed));
    }
    pace.items.push_back({atom.bytes, std::move(changed)});
  }
  return pace;
}

// Atoms to layers, as long as one decides.
class Layers {
 public:
  Layers(const std::vector<Atom>& atoms, const Pace& pace,
         const CostWeights& weights, int limit)
      : atoms_(atoms),
        pace_(pace),
        cost_(pace.epochs, weights),
        limit_(limit) {}

  std::vector<PartitionLayer> Fresh() const {
    std::vector<int> index;
    std::vector<int> others;
    for (size_t atom = 0; atom < atoms_.size(); ++atom) {
      bool apart = atoms_[atom].role == AtomRole::kIndex && limit_ > 1;
      (apart ? index : others).push_back(static_cast<int>(atom));
    }
    std::vector<PartitionItem> items;
    for (int atom : others) {
      items.push_back(pace_.items[atom]);
    }
    std::vector<PartitionLayer> layers;
    int limit = limit_ - (index.empty() ? 0 : 1);
    for (const std::vector<int>& layer :
         PlanPartition(items, cost_, limit).layers) {
      layers.push_back({.role = "normal"});
      for (int item : layer) {
        layers.back().atoms.push_back(others[item]);
      }
    }
    SortByHeat(layers);
    if (!index.empty()) {
      layers.push_back({index, "index"});
    }
    SetRoles(layers);
    return layers;
  }

  // The layers of a lock or a shadow with what is there now: known atoms stay,
  // new ones go where they cost least. `lost` tells which layers lack an atom
  // that they had. May be more layers than the limit.
  std::vector<PartitionLayer> Follow(
      const std::vector<std::vector<std::string>>& old,
      std::vector<bool>& lost) const {
    std::map<std::string, int> numbers;
    for (size_t atom = 0; atom < atoms_.size(); ++atom) {
      numbers[atoms_[atom].id] = static_cast<int>(atom);
    }
    std::vector<bool> placed(atoms_.size());
    std::vector<PartitionLayer> layers;
    lost.clear();
    for (const std::vector<std::string>& ids : old) {
      PartitionLayer layer = {.role = "normal"};
      bool complete = true;
      for (const std::string& id : ids) {
        auto found = numbers.find(id);
        complete = complete && found != numbers.end();
        if (found != numbers.end()) {
          layer.atoms.push_back(found->second);
          placed[found->second] = true;
        }
      }
      if (!layer.atoms.empty()) {
        std::sort(layer.atoms.begin(), layer.atoms.end());
        layers.push_back(std::move(layer));
        lost.push_back(!complete);
      }
    }
    for (int atom : NewAtoms(placed)) {
      Place(atom, layers, lost);
    }
    SetRoles(layers);
    return layers;
  }

  std::vector<std::vector<std::string>> Ids(
      const std::vector<PartitionLayer>& layers) const {
    std::vector<std::vector<std::string>> ids;
    for (const PartitionLayer& layer : layers) {
      ids.emplace_back();
      for (int atom : layer.atoms) {
        ids.back().push_back(atoms_[atom].id);
      }
    }
    return ids;
  }

  std::vector<UnitGroup> Groups(const std::vector<PartitionLayer>& layers,
                                const std::vector<bool>& lost) const {
    std::vector<UnitGroup> groups;
    std::vector<std::vector<std::string>> ids = Ids(layers);
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      groups.push_back({ids[layer], Bytes(layers[layer]),
                        layer < lost.size() && lost[layer]});
    }
    return groups;
  }

  uint64_t Bytes(const PartitionLayer& layer) const {
    uint64_t bytes = 0;
    for (int atom : layer.atoms) {
      bytes += atoms_[atom].bytes;
    }
    return bytes;
  }

 private:
  // Largest first.
  std::vector<int> NewAtoms(const std::vector<bool>& placed) const {
    std::vector<int> atoms;
    for (size_t atom = 0; atom < atoms_.size(); ++atom) {
      if (!placed[atom]) {
        atoms.push_back(static_cast<int>(atom));
      }
    }
    std::stable_sort(atoms.begin(), atoms.end(), [this](int a, int b) {
      return atoms_[a].bytes > atoms_[b].bytes;
    });
    return atoms;
  }

  bool Holds(const PartitionLayer& layer, AtomRole role) const {
    return std::any_of(
        layer.atoms.begin(), layer.atoms.end(),
        [this, role](int atom) { return atoms_[atom].role == role; });
  }

  // Below the index layer, which stays the last one.
  void Open(int atom, std::vector<PartitionLayer>& layers,
            std::vector<bool>& lost) const {
    bool below = !layers.empty() && Holds(layers.back(), AtomRole::kIndex) &&
                 atoms_[atom].role != AtomRole::kIndex;
    size_t at = layers.size() - (below ? 1 : 0);
    at = atoms_[atom].role == AtomRole::kBaseChanges ? 0 : at;
    layers.insert(layers.begin() + at, {{atom}, "new"});
    lost.insert(lost.begin() + at, false);
  }

  void Place(int atom, std::vector<PartitionLayer>& layers,
             std::vector<bool>& lost) const {
    bool is_index = atoms_[atom].role == AtomRole::kIndex;
    bool room = static_cast<int>(layers.size()) < limit_;
    int64_t best = room ? LayerCost({{atom}, ""}) : INT64_MAX;
    PartitionLayer* target = nullptr;
    for (PartitionLayer& layer : layers) {
      bool fits = is_index == Holds(layer, AtomRole::kIndex) || !room;
      PartitionLayer with = layer;
      with.atoms.push_back(atom);
      int64_t added = fits ? LayerCost(with) - LayerCost(layer) : INT64_MAX;
      if (added < best) {
        best = added;
        target = &layer;
      }
    }
    if (target == nullptr) {
      Open(atom, layers, lost);
      return;
    }
    target->atoms.push_back(atom);
    std::sort(target->atoms.begin(), target->atoms.end());
  }

  // Atoms that always changed together count as one.
  int64_t LayerCost(const PartitionLayer& layer) const {
    std::vector<PartitionItem> items;
    for (int atom : layer.atoms) {
      items.push_back(pace_.items[atom]);
    }
    uint64_t bytes = 0;
    uint64_t rates = 0;
    for (const PartitionClass& one : FindClasses(items)) {
      bytes += one.bytes;
      rates += cost_.Rate(one.events);
    }
    return cost_.Layer(bytes, rates);
  }

  void SortByHeat(std::vector<PartitionLayer>& layers) const {
    struct Heat {
      bool base;
      uint64_t events;
      uint64_t bytes;
    };
    auto heat = [this](const PartitionLayer& layer) {
      std::string changed = "0";
      for (int atom : layer.atoms) {
        changed = JoinVectors(changed, pace_.items[atom].changed);
      }
      return Heat{Holds(layer, AtomRole::kBaseChanges),
                  2 * static_cast<uint64_t>(CountEvents(changed)) + 1,
                  Bytes(layer)};
    };
    std::vector<std::pair<Heat, PartitionLayer>> sorted;
    for (PartitionLayer& layer : layers) {
      Heat value = heat(layer);
      sorted.emplace_back(value, std::move(layer));
    }
    std::stable_sort(
        sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
          if (a.first.base != b.first.base) {
            return a.first.base;
          }
          return static_cast<Uint128>(a.first.events) * b.first.bytes <
                 static_cast<Uint128>(b.first.events) * a.first.bytes;
        });
    layers.clear();
    for (auto& [value, layer] : sorted) {
      layers.push_back(std::move(layer));
    }
  }

  void SetRoles(std::vector<PartitionLayer>& layers) const {
    for (PartitionLayer& layer : layers) {
      if (Holds(layer, AtomRole::kBaseChanges)) {
        layer.role = "base-changes";
      } else if (Holds(layer, AtomRole::kIndex)) {
        layer.role = "index";
      }
    }
  }

  const std::vector<Atom>& atoms_;
  const Pace& pace_;
  HeatCost cost_;
  int limit_;
};

std::vector<std::vector<std::string>> LockedAtoms(const LayerLock& lock) {
  std::vector<std::vector<std::string>> atoms;
  for (const LockedLayer& layer : lock.layers) {
    atoms.push_back(layer.atoms);
  }
  return atoms;
}

// Writes the layers into the lock. A digest stays while a layer is what it was.
void LockLayers(const Layers& layers,
                const std::vector<PartitionLayer>& decided,
                const Release& release, LayerLock& lock) {
  std::map<std::vector<std::string>, std::string> diff_ids;
  for (const LockedLayer& layer : lock.layers) {
    diff_ids[layer.atoms] = layer.diff_id;
  }
  std::vector<std::vector<std::string>> ids = layers.Ids(decided);
  lock.layers.clear();
  for (size_t at = 0; at < decided.size(); ++at) {
    auto known = diff_ids.find(ids[at]);
    bool same = known != diff_ids.end() &&
                FetchedBytes({{ids[at], 1}}, release.moved) == 0;
    lock.layers.push_back({.atoms = ids[at],
                           .role = decided[at].role,
                           .diff_id = same ? known->second : "",
                           .bytes = layers.Bytes(decided[at])});
  }
}

}  // namespace

PartitionDecision DecidePartition(const std::vector<Atom>& atoms, int epochs,
                                  const LayoutOptions& options, int limit,
                                  const LayerLock* lock) {
  std::vector<LockUnit> units;
  for (const Atom& atom : atoms) {
    units.push_back({atom.id, atom.contents});
  }
  LayerLock start = StartLock(options, "partition", units);
  Release release = TakeRelease(lock != nullptr ? *lock : start, units);
  Pace pace = FindPace(atoms, epochs, release.lock);
  Layers layers(atoms, pace, options.weights, limit);
  PartitionDecision decision = {.lock = release.lock};
  std::vector<PartitionLayer> fresh = layers.Fresh();
  LockStep step = LockStep::kSwitch;
  if (lock == nullptr) {
    decision.layers = fresh;
  } else {
    std::vector<bool> lost;
    decision.layers = layers.Follow(LockedAtoms(*lock), lost);
    std::string why = WhyAnew(*lock, static_cast<int>(decision.layers.size()),
                              limit, options);
    std::vector<UnitGroup> groups = layers.Groups(decision.layers, lost);
    std::vector<PartitionLayer> shadow = layers.Follow(lock->shadow, lost);
    decision.note = "kept";
    if (!why.empty()) {
      decision.layers = fresh;
      decision.note = absl::StrCat("switched: ", why);
    } else {
      step = UpdateRegret(groups, layers.Groups(shadow, lost), release,
                          options.relayout, decision.lock);
    }
    if (why.empty() && step == LockStep::kSwitch) {
      decision.layers =
          static_cast<int>(shadow.size()) <= limit ? shadow : fresh;
      decision.note =
          absl::StrCat("switched: its layers cost updates ",
                       HumanSize(static_cast<uint64_t>(decision.lock.regret)),
                       " more than the new ones");
    }
  }
  decision.switched = step == LockStep::kSwitch && lock != nullptr;
  if (step != LockStep::kKeep) {
    SetShadow(layers.Ids(fresh), decision.lock);
  }
  SetSettings(options, decision.lock);
  LockLayers(layers, decision.layers, release, decision.lock);
  return decision;
}

}  // namespace lamina::ir
