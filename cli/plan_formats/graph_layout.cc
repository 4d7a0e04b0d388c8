// Leads edges through the gaps between rows and the gutters between columns,
// where no box stands, then gives everything its place in pixels.
//
// On the grid, gutter g is left of column g and gap r above row r. An edge is a
// sequence of stretches along gutters and gaps; those of one gutter or gap that
// overlap get tracks side by side, those from the same box share one.
#include "cli/plan_formats/graph_layout.h"

#include <algorithm>
#include <utility>

#include "cli/plan_formats/graph_route.h"

namespace lamina::cli {
namespace {

// From the grid to pixels.
class Drawer {
 public:
  Drawer(const LayoutGraph& graph, const LayoutSizes& sizes,
         const std::vector<PlacedBox>& boxes, const Router& router)
      : graph_(graph), sizes_(sizes), router_(router) {
    picture_.boxes = boxes;
  }

  GraphPicture Draw() {
    PlaceColumns();
    PlaceRows();
    for (size_t i = 0; i < picture_.boxes.size(); ++i) {
      PlacedBox& box = picture_.boxes[i];
      box.x = picture_.columns[graph_.column[i]].x +
              box.slot * (sizes_.box_width + sizes_.slot_gap);
      box.y = row_y_[box.row];
    }
    CountPorts();
    for (size_t i = 0; i < graph_.edges.size(); ++i) {
      picture_.paths.push_back(PathOf(i));
    }
    return std::move(picture_);
  }

 private:
  // A lane is as wide as its gap and one track more for each further edge.
  int LaneSize(bool down, int lane, int gap) const {
    return gap + std::max(0, router_.tracks(down, lane) - 1) * sizes_.track;
  }

  void PlaceColumns() {
    int x = 0;
    for (int column = 0; column <= graph_.columns; ++column) {
      gutter_x_.push_back(x);
      const bool outside = column == 0 || column == graph_.columns;
      // Nothing is left free at the edges where no edge runs.
      x += outside && router_.tracks(true, column) == 0
               ? 0
               : LaneSize(true, column, sizes_.column_gap);
      if (column < graph_.columns) {
        const int slots = router_.slots(column);
        const int width =
            slots * sizes_.box_width + (slots - 1) * sizes_.slot_gap;
        picture_.columns.push_back({x, width});
        x += width;
      }
    }
    picture_.width = x;
  }

  void PlaceRows() {
    int y = 0;
    for (int row = 0; row <= router_.rows(); ++row) {
      gap_y_.push_back(y);
      const bool outside = row == 0 || row == router_.rows();
      y += outside && router_.tracks(false, row) == 0
               ? 0
               : LaneSize(false, row, sizes_.row_gap);
      if (row < router_.rows()) {
        row_y_.push_back(y);
        y += sizes_.box_height;
      }
    }
    picture_.height = y;
  }

  // Edges that come in from a side are spread over its height.
  void CountPorts() {
    ports_.assign(graph_.edges.size(), 0);
    port_count_.assign(picture_.boxes.size(), 0);
    for (size_t i = 0; i < graph_.edges.size(); ++i) {
      const Route& route = router_.routes()[i];
      if (!route.direct && route.to_side) {
        ports_[i] = ++port_count_[graph_.edges[i].to];
      }
    }
  }

  // The line of a run, inside its lane.
  int Offset(int run) const {
    const Stretch& line = router_.stretch(run);
    const int start = line.down ? gutter_x_[line.lane] : gap_y_[line.lane];
    const int gap = line.down ? sizes_.column_gap : sizes_.row_gap;
    return start + gap / 2 + router_.track(run) * sizes_.track;
  }

  std::vector<Point> PathOf(size_t index) const {
    const LayoutEdge& edge = graph_.edges[index];
    const Route& route = router_.routes()[index];
    const PlacedBox& from = picture_.boxes[edge.from];
    const PlacedBox& to = picture_.boxes[edge.to];
    const int middle = sizes_.box_width / 2;
    if (route.direct) {
      return {{from.x + middle, from.y + sizes_.box_height},
              {to.x + middle, to.y}};
    }
    Point at;
    if (route.from_side) {
      const bool right = Offset(route.stretches[0]) > from.x;
      at = {right ? from.x + sizes_.box_width : from.x,
            from.y + sizes_.box_height / 2};
    } else {
      at = {from.x + middle, from.y + sizes_.box_height};
    }
    std::vector<Point> path = {at};
    for (int run : route.stretches) {
      if (router_.stretch(run).down) {
        at.x = Offset(run);
      } else {
        at.y = Offset(run);
      }
      path.push_back(at);
    }
    Finish(index, to, path);
    return path;
  }

  void Finish(size_t index, const PlacedBox& to,
              std::vector<Point>& path) const {
    const Route& route = router_.routes()[index];
    Point at = path.back();
    if (!route.to_side) {
      at.x = to.x + sizes_.box_width / 2;
      path.push_back(at);
      path.push_back({at.x, to.y});
      return;
    }
    const int count = port_count_[graph_.edges[index].to];
    at.y = to.y + sizes_.box_height * ports_[index] / (count + 1);
    path.push_back(at);
    path.push_back({at.x < to.x ? to.x : to.x + sizes_.box_width, at.y});
  }

  const LayoutGraph& graph_;
  const LayoutSizes& sizes_;
  const Router& router_;
  GraphPicture picture_;
  std::vector<int> gutter_x_, gap_y_, row_y_;
  std::vector<int> ports_, port_count_;
};

}  // namespace

GraphPicture LayOutGraph(const LayoutGraph& graph, const LayoutSizes& sizes) {
  const std::vector<PlacedBox> boxes = PlaceOnGrid(graph);
  Router router(graph, boxes);
  router.FindRoutes();
  return Drawer(graph, sizes, boxes, router).Draw();
}

}  // namespace lamina::cli
