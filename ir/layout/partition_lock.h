// Partition mode from release to release: a fresh layout, or the lock's with
// what is new in it.
#pragma once

#include <string>
#include <vector>

#include "ir/layout/atoms.h"
#include "ir/layout/layer_lock.h"
#include "ir/layout/layout.h"

namespace lamina::ir {

struct PartitionLayer {
  std::vector<int> atoms;  // Ascending.
  std::string role;        // See LockedLayer.
};

struct PartitionDecision {
  std::vector<PartitionLayer> layers;  // Bottom to top; no empty one.
  LayerLock lock;                      // For the next build.
  std::string note;                    // See Layout::lock_note.
  bool switched = false;               // Not the lock's layout.
};

// `epochs` is the number of bits in the atoms' change vectors, `limit` at
// least 1. `lock` is null, or fits (CheckLock).
PartitionDecision DecidePartition(const std::vector<Atom>& atoms, int epochs,
                                  const LayoutOptions& options, int limit,
                                  const LayerLock* lock);

}  // namespace lamina::ir
