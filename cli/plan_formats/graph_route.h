// How edges go between the boxes of a grid: the part of LayOutGraph that knows
// no pixels. Gutter g is left of column g and gap r above row r.
#pragma once

#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "cli/plan_formats/graph_layout.h"

namespace lamina::cli {

// A line along a gutter (down) or a gap (across). Begin and end are half steps
// of the grid: 2r for gap r, 2r + 1 for row r; 2g for gutter g, 2c + 1 for
// column c.
struct Stretch {
  bool down = true;
  int lane = 0;  // Number of the gutter or gap.
  int begin = 0, end = 0;
  int owner = 0;  // The box that the edge comes from.
};

// How one edge goes.
struct Route {
  bool direct = false;                    // Straight down from box to box.
  bool from_side = true, to_side = true;  // Else from the bottom, to the top.
  std::vector<int> stretches;
};

// Leads each edge through gutters and gaps, where no box stands. Stretches of
// one lane that overlap get tracks side by side; those from the same box share
// one.
class Router {
 public:
  // Both must outlive the router.
  Router(const LayoutGraph& graph, const std::vector<PlacedBox>& boxes);

  void FindRoutes();

  const std::vector<Route>& routes() const { return routes_; }
  const Stretch& stretch(int index) const { return stretches_[index]; }
  int track(int index) const { return track_[index]; }
  // How many tracks a gutter (down) or a gap has.
  int tracks(bool down, int lane) const;
  int slots(int column) const { return width_[column]; }
  int rows() const { return rows_; }

 private:
  // All stretches of one box along one lane.
  struct Interval {
    int begin = 0, end = 0, owner = 0;
    std::vector<int> stretches;
  };
  using Lane = std::pair<bool, int>;  // Down or across, and the number.

  bool Taken(int column, int slot, int row) const;
  bool IsDirect(const LayoutEdge& edge) const;
  bool SideIsFree(int box, bool right) const;
  int AddStretch(bool down, int lane, int a, int b, int owner);
  Route RouteOf(const LayoutEdge& edge);
  std::map<Lane, std::vector<Interval>> CollectIntervals() const;
  void AssignTracks();

  const LayoutGraph& graph_;
  const std::vector<PlacedBox>& boxes_;
  std::set<std::tuple<int, int, int>> taken_;  // column, slot, row
  std::vector<int> width_;                     // Slots of each column.
  int rows_ = 0;
  std::vector<Stretch> stretches_;
  std::vector<int> track_;
  std::map<Lane, int> tracks_;
  std::vector<Route> routes_;
};

}  // namespace lamina::cli
