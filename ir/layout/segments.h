// What each run of neighbouring steps would weigh as one layer: the sizes of
// all (n+1)n/2 net diffs at once (optimiser.md 5.1 to 5.3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/layout/path_history.h"
#include "ir/layout/trace.h"

namespace lamina::ir {

inline constexpr uint64_t kEntryBytes = 512;  // h: one header of a tar.

// Bytes that the entry of a path in a layer that ends in `piece` counts.
uint64_t EntryWeight(const PathState& state, const StatePiece& piece);

// A number for each segment (i, j], 0 <= i < j <= n. Those with one end `j`
// stand side by side.
template <typename T>
class SegmentTable {
 public:
  SegmentTable() = default;
  explicit SegmentTable(int n) : stride_(n + 2), values_(stride_ * stride_) {}

  // While the table is being filled: adds `value` to all segments with
  // i0 <= i < i1 and j0 <= j < j1; Sum() ends the filling.
  void Add(int i0, int i1, int j0, int j1, T value) {
    Cell(i0, j0) += value;
    Cell(i1, j0) -= value;
    Cell(i0, j1) -= value;
    Cell(i1, j1) += value;
  }
  void Sum() {
    for (int j = 0; j < stride_; ++j) {
      T row = T();
      for (int i = 0; i < stride_; ++i) {
        row += Cell(i, j);
        Cell(i, j) = row;
        if (j > 0) {
          Cell(i, j) += Cell(i, j - 1);
        }
      }
    }
  }

  const T& operator()(int i, int j) const {
    return values_[static_cast<size_t>(j) * stride_ + i];
  }
  void Set(int i, int j, T value) { Cell(i, j) = value; }

 private:
  T& Cell(int i, int j) {
    return values_[static_cast<size_t>(j) * stride_ + i];
  }
  int stride_ = 0;
  std::vector<T> values_;
};

// Net diff of a segment. Sums wrap while a table is filled.
struct SegmentSize {
  SegmentSize& operator+=(const SegmentSize& other);
  SegmentSize& operator-=(const SegmentSize& other);
  friend bool operator==(const SegmentSize&, const SegmentSize&) = default;

  uint64_t bytes = 0;    // Z
  uint32_t entries = 0;  // Whiteouts among them.
  uint32_t whiteouts = 0;
};

SegmentTable<SegmentSize> SegmentSizes(const PathHistories& histories);

// Equal keys: equal net diffs, in this trace or any other.
using SegmentKey = unsigned __int128;
SegmentTable<SegmentKey> SegmentKeys(const PathHistories& histories);
std::string SegmentKeyText(SegmentKey key);  // 32 hex digits.

// Of the neighbours only: each segment of one and of two positions. Both
// vectors start with position 1; `pairs` with (0, 2].
struct NeighbourSizes {
  std::vector<uint64_t> single;
  std::vector<uint64_t> pairs;
};
NeighbourSizes SizesOfNeighbours(const PathHistories& histories);

// Q(i, j): the weight of all epochs that changed a step in (i, j]. Positions
// as in PathHistories::Collect.
SegmentTable<int64_t> ChangeWeights(const std::vector<Epoch>& epochs,
                                    const std::vector<int>& ends);
// W: the sum of all weights, at least 1.
int64_t TotalWeight(const std::vector<Epoch>& epochs);

enum class DeadCause { kOverwritten, kDeleted, kMetadata };
// `after` is null if the path is absent then.
DeadCause CauseOfDeath(const PathState& before, const PathState* after);

// Bytes that step `step` wrote and step `guilty` made dead.
struct DeadBytes {
  int step = 0;
  int guilty = 0;
  DeadCause cause = DeadCause::kOverwritten;
  uint64_t bytes = 0;
};

// For one layer a position; by step, guilty step and cause, ascending.
std::vector<DeadBytes> FindDeadBytes(const PathHistories& histories);
// Bytes of each layer that later layers hide, if layers end at `ends`
// (ascending positions, the last one included).
std::vector<uint64_t> DeadInLayers(const PathHistories& histories,
                                   const std::vector<int>& ends);

}  // namespace lamina::ir
