// Chain mode from release to release: the best cuts, or the lock's.
#pragma once

#include <string>
#include <vector>

#include "ir/layout/chain_layout.h"
#include "ir/layout/layer_lock.h"
#include "ir/layout/layout.h"

namespace lamina::ir {

// Names of the steps in a lock: the text with single blanks, and "#2", "#3" and
// so on for those that were there before.
std::vector<std::string> StepNames(const Trace& trace);

struct ChainDecision {
  std::vector<int> cuts;  // Positions.
  LayerLock lock;         // For the next build.
  std::string note;       // See Layout::lock_note.
  bool locked = false;    // The lock's cuts, which are not the best ones.
};

// `best` are the cuts of the cheapest plan of at most `limit` layers. `lock` is
// null, or fits (CheckLock).
ChainDecision DecideChain(const ChainModel& model, const std::vector<int>& best,
                          const LayoutOptions& options, int limit,
                          const LayerLock* lock);

}  // namespace lamina::ir
