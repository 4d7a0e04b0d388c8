#include "ir/layout/trace.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lamina::ir {
namespace {

void EraseBelow(PathStates& states, const std::string& path) {
  std::string prefix = absl::StrCat(path, "/");
  auto begin = states.lower_bound(prefix);
  auto end = begin;
  while (end != states.end() && absl::StartsWith(end->first, prefix)) {
    ++end;
  }
  states.erase(begin, end);
}

}  // namespace

bool PathState::SameAs(const PathState& other) const {
  return type == other.type && mode == other.mode && uid == other.uid &&
         gid == other.gid && mtime == other.mtime && body == other.body &&
         link == other.link && xattrs == other.xattrs;
}

void ApplyEvents(const std::vector<PathEvent>& events, PathStates& states) {
  for (const PathEvent& event : events) {
    if (!event.state) {
      EraseBelow(states, event.path);
      states.erase(event.path);
    }
  }
  for (const PathEvent& event : events) {
    if (!event.state) {
      continue;
    }
    if (event.state->type != EntryType::kDirectory) {
      EraseBelow(states, event.path);
    }
    states.insert_or_assign(event.path, *event.state);
  }
}

}  // namespace lamina::ir
