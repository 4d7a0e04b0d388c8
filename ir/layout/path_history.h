// What each path of a trace was, position by position: the form in which the
// planners read a trace.
#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ir/layout/trace.h"

namespace lamina::ir {

// From position `begin` up to the next interval's the path has one state.
struct StateInterval {
  int begin = 0;
  const PathState* state = nullptr;  // Null: absent.
  int value = -1;  // Equal within one path exactly for equal states.
};

// A part of an interval in which a layer that ends there writes the same.
struct StatePiece {
  int begin = 0;
  int end = 0;
  // Absent: a whiteout is needed if the path was there before; without it the
  // parent's own entry or whiteout covers the path.
  bool whiteout = false;
  // File: its bytes are this entry's, for it is the first name of its inode.
  bool has_bytes = true;
  // Number of the path that is the inode's first name; -1: only one name.
  int first_name = -1;
};

// Histories of all paths, numbered in entry order. Refers to the trace, which
// must live as long.
class PathHistories {
 public:
  // Position k is the tree after step ends[k - 1], position 0 the base; `ends`
  // ascends up to the last step. Errors: a path below something that is no
  // folder.
  static absl::StatusOr<PathHistories> Collect(const Trace& trace,
                                               const std::vector<int>& ends);
  // One position a step.
  static absl::StatusOr<PathHistories> Collect(const Trace& trace);

  int positions() const { return positions_; }  // Without the base.
  int size() const { return static_cast<int>(paths_.size()); }
  absl::string_view path(int path) const { return paths_[path]; }
  // The nearest folder above that the trace mentions, or -1.
  int above(int path) const { return above_[path]; }

  // The first begins at 0. Neighbours differ.
  absl::Span<const StateInterval> intervals(int path) const {
    return absl::MakeConstSpan(intervals_)
        .subspan(first_[path], first_[path + 1] - first_[path]);
  }
  // Where interval `at` of `path` ends: the next one's begin.
  int End(int path, size_t at) const;
  const StateInterval& At(int path, int position) const;
  // The pieces of one interval, in order; `pieces` is overwritten.
  void Pieces(int path, size_t at, std::vector<StatePiece>& pieces) const;
  // The piece of interval `at` that holds `position`.
  StatePiece PieceAt(int path, size_t at, int position) const;

 private:
  struct Change {
    int path;
    int position;
    const PathState* state;
  };
  class Replay;

  std::vector<int> SortPaths(const Trace& trace);
  void FindFolders();
  void Group(const std::vector<Change>& changes);
  void CompressPath(size_t begin);
  void FindLinks();

  int positions_ = 0;
  std::vector<absl::string_view> paths_;
  std::vector<int> above_;
  std::vector<int> below_end_;  // One behind the last path below.
  std::vector<int> first_;      // Of `intervals_`, by path.
  std::vector<StateInterval> intervals_;
  // Pieces of files with several names, by the interval's index.
  absl::flat_hash_map<size_t, std::vector<StatePiece>> linked_;
};

}  // namespace lamina::ir
