// One more release under a layer lock: what changed since the last one, and
// whether the lock's layout still pays (optimiser.md 6.5).
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "ir/layout/layer_lock.h"
#include "ir/layout/layout.h"

namespace lamina::ir {

// What moves alone: an atom, or in chain mode a step.
struct LockUnit {
  std::string id;
  std::string contents;
};

struct Release {
  std::set<std::string> moved;  // Units that changed or are new.
  std::set<std::string> gone;
  LayerLock lock;  // With this release in its history. As it was, if nothing
                   // moved and nothing is gone: that is no release.
  bool is_new() const { return !moved.empty() || !gone.empty(); }
};

Release TakeRelease(const LayerLock& lock, const std::vector<LockUnit>& units);

// A layer of the lock or of its shadow, as it would be now.
struct UnitGroup {
  std::vector<std::string> units;
  uint64_t bytes = 0;
  bool lost = false;  // Some unit is gone from it.
};

// What clients of the last release fetch of these layers.
uint64_t FetchedBytes(const std::vector<UnitGroup>& groups,
                      const std::set<std::string>& moved);
// Of `groups`, what is no layer of `others`.
uint64_t BytesNotIn(const std::vector<UnitGroup>& groups,
                    const std::vector<UnitGroup>& others);

enum class LockStep {
  kKeep,
  kRedraw,  // Keep the layout; the shadow is old, draw a new one.
  kSwitch,  // To the shadow, and draw a new one.
};

// Adds to the lock's regret what its layers cost in this release beyond those
// of its shadow.
LockStep UpdateRegret(const std::vector<UnitGroup>& groups,
                      const std::vector<UnitGroup>& shadow,
                      const Release& release, Relayout relayout,
                      LayerLock& lock);

// The shadow is drawn anew from the history so far.
void SetShadow(std::vector<std::vector<std::string>> layers, LayerLock& lock);

// Why the lock's layout, now of so many layers, must go whatever it cost so
// far; empty if it need not.
std::string WhyAnew(const LayerLock& lock, int layers, int limit,
                    const LayoutOptions& options);

// What the lock says of the build's settings.
void SetSettings(const LayoutOptions& options, LayerLock& lock);

// A lock of no layers yet: this build is where its history begins.
LayerLock StartLock(const LayoutOptions& options, const std::string& mode,
                    const std::vector<LockUnit>& units);

}  // namespace lamina::ir
