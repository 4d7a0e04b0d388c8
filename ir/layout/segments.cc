#include "ir/layout/segments.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lamina::ir {
namespace {

// Calls `add(i0, i1, j0, j1, sign, interval, piece)` for the rectangles of
// segments in which one path has an entry: a path's interval b, as seen from
// each earlier state.
template <typename Add>
void SweepPath(const PathHistories& histories, int path,
               std::vector<StatePiece>& pieces, const Add& add) {
  absl::Span<const StateInterval> all = histories.intervals(path);
  for (size_t b = 1; b < all.size(); ++b) {
    histories.Pieces(path, b, pieces);
    for (const StatePiece& piece : pieces) {
      if (all[b].state != nullptr) {
        add(0, all[b].begin, piece, 1, all[b]);
        for (size_t a = 0; a < b; ++a) {
          if (all[a].value == all[b].value) {  // The state came back.
            add(all[a].begin, all[a + 1].begin, piece, -1, all[b]);
          }
        }
        continue;
      }
      for (size_t a = 0; a < b && piece.whiteout; ++a) {
        if (all[a].state != nullptr) {
          add(all[a].begin, all[a + 1].begin, piece, 1, all[b]);
        }
      }
    }
  }
}

template <typename Add>
void Sweep(const PathHistories& histories, const Add& add) {
  std::vector<StatePiece> pieces;
  for (int path = 0; path < histories.size(); ++path) {
    SweepPath(histories, path, pieces,
              [&add, path](int i0, int i1, const StatePiece& piece, int sign,
                           const StateInterval& interval) {
                add(path, i0, i1, piece, sign, interval);
              });
  }
}

// 128 bits of what goes in, the same in any build of one store. Not
// cryptographic, for it only weighs layouts: two different layers with one key
// would cost a little, and each entry is hashed for each build.
class KeyHasher {
 public:
  void Add(uint64_t word) {
    low_ = Mix((low_ ^ word) * 0x9E3779B97F4A7C15);
    high_ = Mix((high_ ^ word) * 0xD6E8FEB86659FD93);
  }
  void Add(absl::string_view text) {
    Add(text.size());
    while (!text.empty()) {
      uint64_t word = 0;
      size_t size = std::min(text.size(), sizeof word);
      memcpy(&word, text.data(), size);
      Add(word);
      text.remove_prefix(size);
    }
  }
  SegmentKey Finish() const { return SegmentKey{high_} << 64 | low_; }

 private:
  static uint64_t Mix(uint64_t word) { return word ^ word >> 32; }

  uint64_t low_ = 1;
  uint64_t high_ = 2;
};

SegmentKey EntryKey(const PathHistories& histories, int path,
                    const StateInterval& interval, const StatePiece& piece) {
  KeyHasher hasher;
  hasher.Add(histories.path(path));
  if (interval.state != nullptr) {
    const PathState& state = *interval.state;
    for (uint64_t number :
         {static_cast<uint64_t>(state.type), static_cast<uint64_t>(state.mode),
          static_cast<uint64_t>(state.uid), static_cast<uint64_t>(state.gid),
          static_cast<uint64_t>(state.mtime)}) {
      hasher.Add(number);
    }
    hasher.Add(state.body);
    hasher.Add(piece.first_name < 0 ? absl::string_view()
                                    : histories.path(piece.first_name));
    for (const auto& [name, value] : state.xattrs) {
      hasher.Add(name);
      hasher.Add(value);
    }
  }
  return hasher.Finish();
}

}  // namespace

uint64_t EntryWeight(const PathState& state, const StatePiece& piece) {
  bool bytes = state.type == EntryType::kFile && piece.has_bytes;
  return kEntryBytes + (bytes ? state.size : 0);
}

SegmentSize& SegmentSize::operator+=(const SegmentSize& other) {
  bytes += other.bytes;
  entries += other.entries;
  whiteouts += other.whiteouts;
  return *this;
}

SegmentSize& SegmentSize::operator-=(const SegmentSize& other) {
  bytes -= other.bytes;
  entries -= other.entries;
  whiteouts -= other.whiteouts;
  return *this;
}

SegmentTable<SegmentSize> SegmentSizes(const PathHistories& histories) {
  SegmentTable<SegmentSize> table(histories.positions());
  Sweep(histories, [&table](int, int i0, int i1, const StatePiece& piece,
                            int sign, const StateInterval& interval) {
    SegmentSize size = {.bytes = kEntryBytes, .entries = 1};
    if (interval.state == nullptr) {
      size.whiteouts = 1;
    } else {
      size.bytes = EntryWeight(*interval.state, piece);
    }
    if (sign < 0) {
      SegmentSize minus;
      minus -= size;
      size = minus;
    }
    table.Add(i0, i1, piece.begin, piece.end, size);
  });
  table.Sum();
  return table;
}

SegmentTable<SegmentKey> SegmentKeys(const PathHistories& histories) {
  SegmentTable<SegmentKey> table(histories.positions());
  Sweep(histories, [&](int path, int i0, int i1, const StatePiece& piece,
                       int sign, const StateInterval& interval) {
    SegmentKey key = EntryKey(histories, path, interval, piece);
    table.Add(i0, i1, piece.begin, piece.end, sign > 0 ? key : -key);
  });
  table.Sum();
  return table;
}

std::string SegmentKeyText(SegmentKey key) {
  return absl::StrCat(
      absl::Hex(static_cast<uint64_t>(key >> 64), absl::kZeroPad16),
      absl::Hex(static_cast<uint64_t>(key), absl::kZeroPad16));
}

NeighbourSizes SizesOfNeighbours(const PathHistories& histories) {
  int n = histories.positions();
  NeighbourSizes sizes = {.single = std::vector<uint64_t>(n),
                          .pairs = std::vector<uint64_t>(std::max(n - 1, 0))};
  // Adds to the segments (j - 1, j] and (j - 2, j] as far as i is in [i0, i1).
  auto add = [&](int, int i0, int i1, const StatePiece& piece, int sign,
                 const StateInterval& interval) {
    uint64_t weight = interval.state == nullptr
                          ? kEntryBytes
                          : EntryWeight(*interval.state, piece);
    weight = sign > 0 ? weight : -weight;
    int last = std::min(piece.end - 1, i1 + 1);
    for (int j = std::max(piece.begin, i0 + 1); j <= last; ++j) {
      if (j - 1 < i1) {
        sizes.single[j - 1] += weight;
      }
      if (j - 2 >= i0 && j - 2 < i1) {
        sizes.pairs[j - 2] += weight;
      }
    }
  };
  Sweep(histories, add);
  return sizes;
}

SegmentTable<int64_t> ChangeWeights(const std::vector<Epoch>& epochs,
                                    const std::vector<int>& ends) {
  int n = static_cast<int>(ends.size());
  SegmentTable<int64_t> table(n);
  for (const Epoch& epoch : epochs) {
    std::vector<int> positions;
    for (int step : epoch.steps) {
      int position = static_cast<int>(
          std::lower_bound(ends.begin(), ends.end(), step) - ends.begin() + 1);
      if (positions.empty() || positions.back() != position) {
        positions.push_back(position);
      }
    }
    for (size_t at = 0; at < positions.size(); ++at) {
      int next = at + 1 < positions.size() ? positions[at + 1] : n + 1;
      table.Add(0, positions[at], positions[at], next, epoch.weight);
    }
  }
  table.Sum();
  return table;
}

int64_t TotalWeight(const std::vector<Epoch>& epochs) {
  int64_t total = 0;
  for (const Epoch& epoch : epochs) {
    total += epoch.weight;
  }
  return std::max<int64_t>(total, 1);
}

DeadCause CauseOfDeath(const PathState& before, const PathState* after) {
  if (after == nullptr) {
    return DeadCause::kDeleted;
  }
  bool same_bytes = before.type == EntryType::kFile &&
                    after->type == EntryType::kFile &&
                    before.body == after->body;
  return same_bytes ? DeadCause::kMetadata : DeadCause::kOverwritten;
}

std::vector<DeadBytes> FindDeadBytes(const PathHistories& histories) {
  std::map<std::tuple<int, int, DeadCause>, uint64_t> sums;
  for (int path = 0; path < histories.size(); ++path) {
    absl::Span<const StateInterval> all = histories.intervals(path);
    for (size_t b = 1; b + 1 < all.size(); ++b) {
      if (all[b].state != nullptr) {
        StatePiece piece = histories.PieceAt(path, b, all[b].begin);
        sums[{all[b].begin, all[b + 1].begin,
              CauseOfDeath(*all[b].state, all[b + 1].state)}] +=
            EntryWeight(*all[b].state, piece);
      }
    }
  }
  std::vector<DeadBytes> rows;
  for (const auto& [key, bytes] : sums) {
    auto [step, guilty, cause] = key;
    rows.push_back({step, guilty, cause, bytes});
  }
  return rows;
}

std::vector<uint64_t> DeadInLayers(const PathHistories& histories,
                                   const std::vector<int>& ends) {
  std::vector<uint64_t> dead(ends.size());
  for (int path = 0; path < histories.size(); ++path) {
    absl::Span<const StateInterval> all = histories.intervals(path);
    for (size_t b = 1; b + 1 < all.size(); ++b) {
      auto end = std::lower_bound(ends.begin(), ends.end(), all[b].begin);
      if (all[b].state == nullptr || *end >= all[b + 1].begin) {
        continue;
      }
      int start = end == ends.begin() ? 0 : *(end - 1);
      // A state that comes back before the next layer ends is not hidden.
      bool hidden = std::any_of(end, ends.end(), [&](int later) {
        return histories.At(path, later).value != all[b].value;
      });
      if (hidden && histories.At(path, start).value != all[b].value) {
        dead[end - ends.begin()] +=
            EntryWeight(*all[b].state, histories.PieceAt(path, b, *end));
      }
    }
  }
  return dead;
}

}  // namespace lamina::ir
