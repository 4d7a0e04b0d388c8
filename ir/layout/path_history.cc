#include "ir/layout/path_history.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

bool IsFolder(const PathState& state) {
  return state.type == EntryType::kDirectory;
}

const PathState* ImpliedFolder() {
  static const PathState& folder =
      *new PathState{.type = EntryType::kDirectory, .mode = 0755};
  return &folder;
}

// One name of an inode: the interval in which it has it.
struct LinkName {
  int path;
  size_t interval;
  int begin;
  int end;
};

}  // namespace

// Applies the events and notes each change.
class PathHistories::Replay {
 public:
  explicit Replay(const PathHistories& paths)
      : paths_(paths), now_(paths.paths_.size()) {}

  absl::Status Apply(const std::vector<PathEvent>& events, int step,
                     int position) {
    position_ = position;
    for (const PathEvent& event : events) {
      if (!event.state) {
        int path = paths_.numbers_.at(event.path);
        Set(path, nullptr);
        EraseBelow(path);
      }
    }
    for (const PathEvent& event : events) {
      if (event.state) {
        RETURN_IF_ERROR(Put(event, step));
      }
    }
    return absl::OkStatus();
  }

  const std::vector<Change>& changes() const { return changes_; }

 private:
  absl::Status Put(const PathEvent& event, int step) {
    int path = paths_.numbers_.at(event.path);
    for (int above = paths_.above(path);
         above >= 0 && (now_[above] == nullptr || !IsFolder(*now_[above]));
         above = paths_.above(above)) {
      if (now_[above] != nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("step ", step, " puts `", event.path, "`, but `",
                         paths_.path(above), "` is no folder"));
      }
      Set(above, ImpliedFolder());
    }
    if (!IsFolder(*event.state)) {
      EraseBelow(path);
    }
    Set(path, &*event.state);
    return absl::OkStatus();
  }

  void EraseBelow(int path) {
    for (int below = path + 1; below < paths_.below_end_[path]; ++below) {
      Set(below, nullptr);
    }
  }

  void Set(int path, const PathState* state) {
    if (now_[path] != state) {
      now_[path] = state;
      changes_.push_back({path, position_, state});
    }
  }

  const PathHistories& paths_;
  std::vector<const PathState*> now_;
  std::vector<Change> changes_;
  int position_ = 0;
};

absl::StatusOr<PathHistories> PathHistories::Collect(
    const Trace& trace, const std::vector<int>& ends) {
  CHECK(ends.empty() ? trace.steps.empty()
                     : ends.back() == static_cast<int>(trace.steps.size()));
  PathHistories histories;
  histories.positions_ = static_cast<int>(ends.size());
  histories.SortPaths(trace);
  histories.FindFolders();
  Replay replay(histories);
  RETURN_IF_ERROR(replay.Apply(trace.base, 0, 0));
  int step = 0;
  for (int position = 1; position <= histories.positions_; ++position) {
    for (; step < ends[position - 1]; ++step) {
      RETURN_IF_ERROR(
          replay.Apply(trace.steps[step].events, step + 1, position));
    }
  }
  histories.Group(replay.changes());
  histories.FindLinks();
  return histories;
}

absl::StatusOr<PathHistories> PathHistories::Collect(const Trace& trace) {
  std::vector<int> ends(trace.steps.size());
  std::iota(ends.begin(), ends.end(), 1);
  return Collect(trace, ends);
}

int PathHistories::End(int path, size_t at) const {
  size_t next = first_[path] + at + 1;
  return next < static_cast<size_t>(first_[path + 1]) ? intervals_[next].begin
                                                      : positions_ + 1;
}

const StateInterval& PathHistories::At(int path, int position) const {
  absl::Span<const StateInterval> all = intervals(path);
  auto after = std::upper_bound(all.begin(), all.end(), position,
                                [](int at, const StateInterval& interval) {
                                  return at < interval.begin;
                                });
  return *(after - 1);
}

void PathHistories::SortPaths(const Trace& trace) {
  auto add = [this](const std::vector<PathEvent>& events) {
    for (const PathEvent& event : events) {
      numbers_.try_emplace(event.path, 0);
    }
  };
  add(trace.base);
  for (const TraceStep& step : trace.steps) {
    add(step.events);
  }
  // PathLess is plain byte order once `/` is the lowest byte, and that is much
  // faster to compare.
  std::vector<std::pair<std::string, absl::string_view>> keys;
  keys.reserve(numbers_.size());
  for (const auto& [path, number] : numbers_) {
    keys.emplace_back(path, path);
    std::replace(keys.back().first.begin(), keys.back().first.end(), '/', '\0');
  }
  std::sort(keys.begin(), keys.end());
  for (const auto& [key, path] : keys) {
    numbers_[path] = static_cast<int>(paths_.size());
    paths_.push_back(path);
  }
}

void PathHistories::FindFolders() {
  above_.assign(paths_.size(), -1);
  below_end_.assign(paths_.size(), size());
  std::vector<int> open;  // The paths above the present one.
  for (int path = 0; path < size(); ++path) {
    auto holds = [this, path](int above) {
      absl::string_view folder = paths_[above];
      return absl::StartsWith(paths_[path], folder) &&
             paths_[path][folder.size()] == '/';
    };
    while (!open.empty() && !holds(open.back())) {
      below_end_[open.back()] = path;
      open.pop_back();
    }
    above_[path] = open.empty() ? -1 : open.back();
    open.push_back(path);
  }
}

// Sorts the changes by path, and by time within it.
void PathHistories::Group(const std::vector<Change>& changes) {
  std::vector<int> next(paths_.size() + 1, 0);
  for (const Change& change : changes) {
    ++next[change.path + 1];
  }
  std::partial_sum(next.begin(), next.end(), next.begin());
  std::vector<Change> sorted(changes.size());
  std::vector<int> begin = next;
  for (const Change& change : changes) {
    sorted[next[change.path]++] = change;
  }
  intervals_.reserve(changes.size() + paths_.size());
  first_.push_back(0);
  for (int path = 0; path < size(); ++path) {
    size_t first = intervals_.size();
    intervals_.push_back({});
    for (int at = begin[path]; at < begin[path + 1]; ++at) {
      if (intervals_.back().begin != sorted[at].position) {
        intervals_.push_back({});
      }
      intervals_.back().begin = sorted[at].position;
      intervals_.back().state = sorted[at].state;
    }
    CompressPath(first);
    first_.push_back(static_cast<int>(intervals_.size()));
  }
}

// Numbers the states of the last path and joins equal neighbours.
void PathHistories::CompressPath(size_t begin) {
  size_t kept = begin;
  for (size_t at = begin; at < intervals_.size(); ++at) {
    StateInterval interval = intervals_[at];
    if (interval.state != nullptr) {
      interval.value = static_cast<int>(kept - begin);
      for (size_t old = begin; old < kept; ++old) {
        const PathState* state = intervals_[old].state;
        if (state != nullptr && state->SameAs(*interval.state)) {
          interval.value = intervals_[old].value;
          break;
        }
      }
    }
    if (kept == begin || intervals_[kept - 1].value != interval.value) {
      intervals_[kept++] = interval;
    }
  }
  intervals_.resize(kept);
}

void PathHistories::FindLinks() {
  absl::flat_hash_map<absl::string_view, std::vector<LinkName>> inodes;
  for (int path = 0; path < size(); ++path) {
    absl::Span<const StateInterval> all = intervals(path);
    for (size_t at = 0; at < all.size(); ++at) {
      if (all[at].state != nullptr && !all[at].state->link.empty()) {
        inodes[all[at].state->link].push_back(
            {path, first_[path] + at, all[at].begin, End(path, at)});
      }
    }
  }
  for (const auto& [link, names] : inodes) {
    std::vector<int> times;
    for (const LinkName& name : names) {
      times.push_back(name.begin);
      times.push_back(name.end);
    }
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    for (size_t slot = 1; slot < times.size(); ++slot) {
      int begin = times[slot - 1];
      int first = -1;  // `names` ascends by path.
      int count = 0;
      for (const LinkName& name : names) {
        if (name.begin <= begin && begin < name.end) {
          first = count++ == 0 ? name.path : first;
        }
      }
      for (const LinkName& name : names) {
        if (name.begin <= begin && begin < name.end) {
          linked_[name.interval].push_back(
              {.begin = begin,
               .end = times[slot],
               .has_bytes = name.path == first,
               .first_name = count > 1 ? first : -1});
        }
      }
    }
  }
}

void PathHistories::Pieces(int path, size_t at,
                           std::vector<StatePiece>& pieces) const {
  pieces.clear();
  const StateInterval& interval = intervals_[first_[path] + at];
  int end = End(path, at);
  if (interval.state != nullptr) {
    auto linked = linked_.find(first_[path] + at);
    if (linked != linked_.end()) {
      pieces = linked->second;
    } else {
      pieces.push_back({.begin = interval.begin, .end = end});
    }
    return;
  }
  if (above_[path] < 0) {
    pieces.push_back({.begin = interval.begin, .end = end, .whiteout = true});
    return;
  }
  absl::Span<const StateInterval> folder = intervals(above_[path]);
  for (size_t part = 0; part < folder.size(); ++part) {
    int from = std::max(interval.begin, folder[part].begin);
    int to = std::min(end, End(above_[path], part));
    if (from < to) {
      const PathState* state = folder[part].state;
      pieces.push_back({.begin = from,
                        .end = to,
                        .whiteout = state != nullptr && IsFolder(*state)});
    }
  }
}

StatePiece PathHistories::PieceAt(int path, size_t at, int position) const {
  std::vector<StatePiece> pieces;
  Pieces(path, at, pieces);
  for (const StatePiece& piece : pieces) {
    if (piece.begin <= position && position < piece.end) {
      return piece;
    }
  }
  CHECK(false);
}

}  // namespace lamina::ir
