#include "ir/layout/release.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/layout/change_vector.h"

namespace lamina::ir {
namespace {

// Releases after which the shadow is drawn anew.
constexpr int kShadowAge = 26;

// One more epoch for all units; the oldest makes room when there are too many.
void AddEpoch(const std::set<std::string>& moved, LayerLock& lock) {
  bool full = lock.epochs == kLockHistory;
  int epoch = full ? lock.epochs - 1 : lock.epochs;
  std::map<std::string, std::string> changed;
  for (const auto& [unit, contents] : lock.contents) {
    std::vector<bool> epochs = EpochsOf(lock.changed[unit]);
    if (full && !epochs.empty()) {
      epochs.erase(epochs.begin());
    }
    epochs.resize(epoch + 1);
    epochs[epoch] = moved.contains(unit);
    std::string vector = VectorOf(epochs);
    if (vector != "0") {
      changed[unit] = std::move(vector);
    }
  }
  lock.changed = std::move(changed);
  lock.epochs = epoch + 1;
  if (full) {
    lock.shadow_since = std::max(0, lock.shadow_since - 1);
  }
}

}  // namespace

Release TakeRelease(const LayerLock& lock, const std::vector<LockUnit>& units) {
  Release release = {.lock = lock};
  std::set<std::string> changed;
  std::map<std::string, std::string> contents;
  for (const LockUnit& unit : units) {
    contents[unit.id] = unit.contents;
    auto before = lock.contents.find(unit.id);
    if (before == lock.contents.end()) {
      release.moved.insert(unit.id);  // New is not changed.
    } else if (before->second != unit.contents) {
      release.moved.insert(unit.id);
      changed.insert(unit.id);
    }
  }
  for (const auto& [unit, digest] : lock.contents) {
    if (!contents.contains(unit)) {
      release.gone.insert(unit);
    }
  }
  if (release.is_new()) {
    release.lock.contents = std::move(contents);
    AddEpoch(changed, release.lock);
  }
  return release;
}

uint64_t FetchedBytes(const std::vector<UnitGroup>& groups,
                      const std::set<std::string>& moved) {
  uint64_t bytes = 0;
  for (const UnitGroup& group : groups) {
    bool changed =
        group.lost || std::any_of(group.units.begin(), group.units.end(),
                                  [&moved](const std::string& unit) {
                                    return moved.contains(unit);
                                  });
    bytes += changed ? group.bytes : 0;
  }
  return bytes;
}

uint64_t BytesNotIn(const std::vector<UnitGroup>& groups,
                    const std::vector<UnitGroup>& others) {
  std::set<std::set<std::string>> known;
  for (const UnitGroup& group : others) {
    known.emplace(group.units.begin(), group.units.end());
  }
  uint64_t bytes = 0;
  for (const UnitGroup& group : groups) {
    std::set<std::string> units(group.units.begin(), group.units.end());
    bytes += known.contains(units) ? 0 : group.bytes;
  }
  return bytes;
}

LockStep UpdateRegret(const std::vector<UnitGroup>& groups,
                      const std::vector<UnitGroup>& shadow,
                      const Release& release, Relayout relayout,
                      LayerLock& lock) {
  if (!release.is_new()) {
    return LockStep::kKeep;
  }
  auto more = static_cast<int64_t>(FetchedBytes(groups, release.moved)) -
              static_cast<int64_t>(FetchedBytes(shadow, release.moved));
  lock.regret = std::max<int64_t>(0, lock.regret + more);
  auto price = static_cast<int64_t>(BytesNotIn(shadow, groups));
  if (lock.regret > price && relayout == Relayout::kAuto) {
    return LockStep::kSwitch;
  }
  return lock.epochs - lock.shadow_since >= kShadowAge ? LockStep::kRedraw
                                                       : LockStep::kKeep;
}

void SetShadow(std::vector<std::vector<std::string>> layers, LayerLock& lock) {
  lock.shadow = std::move(layers);
  lock.shadow_since = lock.epochs;
  lock.regret = 0;
}

std::string WhyAnew(const LayerLock& lock, int layers, int limit,
                    const LayoutOptions& options) {
  if (layers > limit) {
    return absl::StrCat("it has ", layers, " layers, the limit is ", limit);
  }
  if (options.relayout == Relayout::kNow) {
    return "a new layout was asked for";
  }
  if (options.relayout == Relayout::kNever) {
    return "";
  }
  if (options.base_replaced) {
    return "most of the base is new";
  }
  return options.writer == lock.writer ? ""
                                       : "layers are written in another form";
}

void SetSettings(const LayoutOptions& options, LayerLock& lock) {
  lock.base = options.base;
  lock.writer = options.writer;
  lock.alpha = options.weights.alpha;
  lock.beta = options.weights.beta;
  lock.gamma = options.weights.gamma;
  lock.delta = options.weights.delta;
}

LayerLock StartLock(const LayoutOptions& options, const std::string& mode,
                    const std::vector<LockUnit>& units) {
  LayerLock lock = {.target = options.target, .mode = mode};
  SetSettings(options, lock);
  for (const LockUnit& unit : units) {
    lock.contents[unit.id] = unit.contents;
  }
  return lock;
}

}  // namespace lamina::ir
