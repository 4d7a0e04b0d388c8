#include "cli/plan_formats/graph_route.h"

#include <algorithm>

namespace lamina::cli {

Router::Router(const LayoutGraph& graph, const std::vector<PlacedBox>& boxes)
    : graph_(graph), boxes_(boxes), width_(graph.columns, 1) {
  for (size_t i = 0; i < boxes.size(); ++i) {
    taken_.insert({graph.column[i], boxes[i].slot, boxes[i].row});
    width_[graph.column[i]] =
        std::max(width_[graph.column[i]], boxes[i].slot + 1);
    rows_ = std::max(rows_, boxes[i].row + 1);
  }
}

void Router::FindRoutes() {
  for (const LayoutEdge& edge : graph_.edges) {
    routes_.push_back(RouteOf(edge));
  }
  AssignTracks();
}

int Router::tracks(bool down, int lane) const {
  auto found = tracks_.find({down, lane});
  return found != tracks_.end() ? found->second : 0;
}

bool Router::Taken(int column, int slot, int row) const {
  return taken_.count({column, slot, row}) > 0;
}

// True if nothing stands between the two boxes, one above the other.
bool Router::IsDirect(const LayoutEdge& edge) const {
  const PlacedBox& from = boxes_[edge.from];
  const PlacedBox& to = boxes_[edge.to];
  const int column = graph_.column[edge.from];
  if (!edge.straight || column != graph_.column[edge.to] ||
      from.slot != to.slot || to.row <= from.row) {
    return false;
  }
  for (int row = from.row + 1; row < to.row; ++row) {
    if (Taken(column, from.slot, row)) {
      return false;
    }
  }
  return true;
}

// True if no box stands between this one and its column's right (left) edge.
bool Router::SideIsFree(int box, bool right) const {
  const PlacedBox& at = boxes_[box];
  const int column = graph_.column[box];
  const int step = right ? 1 : -1;
  for (int slot = at.slot + step; slot >= 0 && slot < width_[column];
       slot += step) {
    if (Taken(column, slot, at.row)) {
      return false;
    }
  }
  return true;
}

int Router::AddStretch(bool down, int lane, int a, int b, int owner) {
  stretches_.push_back({down, lane, std::min(a, b), std::max(a, b), owner});
  return static_cast<int>(stretches_.size()) - 1;
}

Route Router::RouteOf(const LayoutEdge& edge) {
  Route route;
  if (IsDirect(edge)) {
    route.direct = true;
    return route;
  }
  const PlacedBox& from = boxes_[edge.from];
  const PlacedBox& to = boxes_[edge.to];
  const int from_column = graph_.column[edge.from];
  const int to_column = graph_.column[edge.to];
  auto add = [&](bool down, int lane, int a, int b) {
    route.stretches.push_back(AddStretch(down, lane, a, b, edge.from));
  };
  if (from_column == to_column && to.row == from.row + 1) {
    // To a neighbour slot: through the one gap between them.
    route.from_side = route.to_side = false;
    add(false, to.row, 2 * from_column + 1, 2 * from_column + 1);
    return route;
  }
  // Out at the side where the other box is, in at the side that faces back.
  const int first = from_column + (to_column >= from_column ? 1 : 0);
  const int last = to_column + (to_column > from_column ? 0 : 1);
  route.from_side = SideIsFree(edge.from, to_column >= from_column);
  route.to_side = SideIsFree(edge.to, to_column <= from_column);
  const int begin = 2 * from.row + (route.from_side ? 1 : 2);
  const int end = 2 * to.row + (route.to_side ? 1 : 0);
  if (!route.from_side) {
    add(false, from.row + 1, 2 * from_column + 1, 2 * first);
  }
  if (first == last) {
    add(true, first, begin, end);
  } else {
    add(true, first, begin, 2 * to.row);
    add(false, to.row, 2 * first, 2 * last);
    add(true, last, 2 * to.row, end);
  }
  if (!route.to_side) {
    add(false, to.row, 2 * last, 2 * to_column + 1);
  }
  return route;
}

std::map<Router::Lane, std::vector<Router::Interval>> Router::CollectIntervals()
    const {
  std::map<std::pair<Lane, int>, Interval> by_owner;
  for (size_t i = 0; i < stretches_.size(); ++i) {
    const Stretch& stretch = stretches_[i];
    Interval& whole = by_owner[{{stretch.down, stretch.lane}, stretch.owner}];
    if (whole.stretches.empty()) {
      whole = {stretch.begin, stretch.end, stretch.owner, {}};
    }
    whole.begin = std::min(whole.begin, stretch.begin);
    whole.end = std::max(whole.end, stretch.end);
    whole.stretches.push_back(static_cast<int>(i));
  }
  std::map<Lane, std::vector<Interval>> lanes;
  for (auto& [key, interval] : by_owner) {
    lanes[key.first].push_back(std::move(interval));
  }
  return lanes;
}

// Colours the intervals of each lane: first come, lowest track.
void Router::AssignTracks() {
  track_.assign(stretches_.size(), 0);
  for (auto& [lane, intervals] : CollectIntervals()) {
    std::vector<Interval> sorted = intervals;
    std::sort(sorted.begin(), sorted.end(),
              [](const Interval& a, const Interval& b) {
                return std::tie(a.begin, a.end, a.owner) <
                       std::tie(b.begin, b.end, b.owner);
              });
    std::vector<int> ends;  // Of the last interval on each track.
    for (const Interval& interval : sorted) {
      size_t track = 0;
      while (track < ends.size() && ends[track] >= interval.begin) {
        ++track;
      }
      ends.resize(std::max(ends.size(), track + 1));
      ends[track] = interval.end;
      for (int stretch : interval.stretches) {
        track_[stretch] = static_cast<int>(track);
      }
    }
    tracks_[lane] = static_cast<int>(ends.size());
  }
}

}  // namespace lamina::cli
