// One layer for several steps: the difference between two trees, whatever the
// steps between them did on the way.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "ir/layout/step_diff.h"
#include "ir/layout/tree.h"

namespace lamina::ir {

// What turns `before` into `after`, in the order of a layer
// (optimiser.md 5.1): a path whose state differs gets its state in `after`, a
// path that is gone a whiteout unless a whiteout or another file above it says
// so already. All folders above an entry are repeated as `after` has them. All
// names of one inode are written when one of them is.
//
// Two files are equal when they come from the same layer or their digests are
// known and equal; `after` must extend `before`, so that layers have the same
// numbers in both.
StepDiff NetDiff(const Tree& before, const Tree& after);

// Parts of a net diff as layers of their own, in any order on the same tree
// (optimiser.md 6): part i gets the entries whose path `part_of` maps to i,
// with the folders above them. Whiteouts all belong into part 0, and so does
// an entry that replaces something of another type below. Names of one inode
// go with the first of them. Parts without an entry stay empty.
std::vector<StepDiff> SplitDiff(
    const StepDiff& diff, size_t parts,
    const std::function<size_t(const std::string& path)>& part_of,
    const std::set<std::string>& replaced);

// Non-folders that became folders and the other way round: `replaced` above.
std::set<std::string> TypeChanges(const Tree& before, const StepDiff& diff);

}  // namespace lamina::ir
