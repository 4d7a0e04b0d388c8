// One digest for a whole tree, and the first place where two trees differ:
// what every equality of images is judged by.
#pragma once

#include <optional>
#include <string>

#include "ir/layout/trace.h"
#include "ir/layout/tree.h"

namespace lamina::ir {

// Lower-case hex SHA-256 over all paths (optimiser.md 8, "lamina-tree-1").
// Folders that are only implied count as folders 0755 0:0 of time 0.
std::string TreeDigest(const PathStates& states);

// The states of a folded tree. Hard links become groups; a file whose digest is
// unknown gets a body that equals no other within one stack of layers.
PathStates StatesOf(const Tree& tree);

struct TreeDifference {
  std::string path;
  std::string field;  // "type", "mode", "uid", "gid", "mtime", "content",
                      // "target", "device", "link", "xattrs", "presence".
  std::string first;  // The field's value in each; for "presence" the words
                      // "present" and "absent".
  std::string second;
};

// All differences in path order, at most `limit`. Hard-link groups are compared
// by their first name in path order.
std::vector<TreeDifference> CompareTrees(const PathStates& first,
                                         const PathStates& second,
                                         size_t limit);

}  // namespace lamina::ir
