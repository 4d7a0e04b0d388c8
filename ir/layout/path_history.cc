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

using PathKey = std::pair<absl::string_view, int>;

// Sorts. The paths of one step come in order, so that there are long runs to
// begin with.
void MergeRuns(std::vector<PathKey>& keys) {
  std::vector<size_t> runs;  // Where each ends.
  for (size_t at = 1; at <= keys.size(); ++at) {
    if (at == keys.size() || keys[at] < keys[at - 1]) {
      runs.push_back(at);
    }
  }
  std::vector<PathKey> merged(keys.size());
  while (runs.size() > 1) {
    std::vector<size_t> longer;
    size_t begin = 0;
    for (size_t run = 0; run < runs.size(); run += 2) {
      size_t middle = runs[run];
      size_t end = run + 1 < runs.size() ? runs[run + 1] : middle;
      std::merge(keys.begin() + begin, keys.begin() + middle,
                 keys.begin() + middle, keys.begin() + end,
                 merged.begin() + begin);
      longer.push_back(end);
      begin = end;
    }
    keys.swap(merged);
    runs = std::move(longer);
  }
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
  // `numbers`: of each event's path, in the order of the trace.
  Replay(const PathHistories& paths, std::vector<int> numbers)
      : paths_(paths), now_(paths.paths_.size()), numbers_(std::move(numbers)) {
    changes_.reserve(numbers_.size());
  }

  // The next step's events.
  absl::Status Apply(const std::vector<PathEvent>& events, int step,
                     int position) {
    position_ = position;
    const int* numbers = numbers_.data() + done_;
    done_ += events.size();
    for (size_t at = 0; at < events.size(); ++at) {
      if (!events[at].state) {
        Set(numbers[at], nullptr);
        EraseBelow(numbers[at]);
      }
    }
    for (size_t at = 0; at < events.size(); ++at) {
      if (events[at].state) {
        RETURN_IF_ERROR(Put(numbers[at], *events[at].state, step));
      }
    }
    return absl::OkStatus();
  }

  const std::vector<Change>& changes() const { return changes_; }

 private:
  absl::Status Put(int path, const PathState& state, int step) {
    for (int above = paths_.above(path);
         above >= 0 && (now_[above] == nullptr || !IsFolder(*now_[above]));
         above = paths_.above(above)) {
      if (now_[above] != nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("step ", step, " puts `", paths_.path(path),
                         "`, but `", paths_.path(above), "` is no folder"));
      }
      Set(above, ImpliedFolder());
    }
    if (!IsFolder(state)) {
      EraseBelow(path);
    }
    Set(path, &state);
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
  std::vector<int> numbers_;
  size_t done_ = 0;  // Of `numbers_`.
  std::vector<Change> changes_;
  int position_ = 0;
};

absl::StatusOr<PathHistories> PathHistories::Collect(
    const Trace& trace, const std::vector<int>& ends) {
  CHECK(ends.empty() ? trace.steps.empty()
                     : ends.back() == static_cast<int>(trace.steps.size()));
  PathHistories histories;
  histories.positions_ = static_cast<int>(ends.size());
  std::vector<int> numbers = histories.SortPaths(trace);
  histories.FindFolders();
  Replay replay(histories, std::move(numbers));
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

// Numbers all paths, and returns the number of each event's path, in the order
// of the trace.
std::vector<int> PathHistories::SortPaths(const Trace& trace) {
  size_t events = trace.base.size();
  for (const TraceStep& step : trace.steps) {
    events += step.events.size();
  }
  absl::flat_hash_map<absl::string_view, int> seen;
  seen.reserve(events);
  std::vector<int> numbers;
  numbers.reserve(events);
  size_t bytes = 0;
  auto add = [&](const std::vector<PathEvent>& some) {
    for (const PathEvent& event : some) {
      auto [at, is_new] =
          seen.try_emplace(event.path, static_cast<int>(paths_.size()));
      numbers.push_back(at->second);
      if (is_new) {
        paths_.push_back(event.path);
        bytes += event.path.size();
      }
    }
  };
  add(trace.base);
  for (const TraceStep& step : trace.steps) {
    add(step.events);
  }
  // PathLess is plain byte order once `/` is the lowest byte, and that is much
  // faster to compare.
  std::string text;
  text.reserve(bytes);
  std::vector<PathKey> keys;
  keys.reserve(paths_.size());
  for (absl::string_view path : paths_) {
    size_t begin = text.size();
    text.append(path.data(), path.size());
    std::replace(text.begin() + begin, text.end(), '/', '\0');
    keys.emplace_back(absl::string_view(text).substr(begin),
                      static_cast<int>(keys.size()));
  }
  MergeRuns(keys);
  std::vector<int> ranks(paths_.size());
  std::vector<absl::string_view> sorted(paths_.size());
  for (size_t rank = 0; rank < keys.size(); ++rank) {
    ranks[keys[rank].second] = static_cast<int>(rank);
    sorted[rank] = paths_[keys[rank].second];
  }
  paths_ = std::move(sorted);
  for (int& number : numbers) {
    number = ranks[number];
  }
  return numbers;
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
