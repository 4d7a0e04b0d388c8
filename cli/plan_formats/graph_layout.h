// Places boxes in columns and rows and leads edges around them. Knows nothing
// of builds. Integers only, so that the same graph is drawn alike everywhere.
#pragma once

#include <vector>

namespace lamina::cli {

// All lengths in pixels.
struct LayoutSizes {
  int box_width = 280;
  int box_height = 62;
  int row_gap = 24;     // Between rows, without edges in between.
  int column_gap = 32;  // Between columns, likewise.
  int slot_gap = 20;    // Between two boxes of one column in one row.
  int track = 9;        // Between two edges that run side by side.
};

struct LayoutEdge {
  int from = 0, to = 0;  // Positions of boxes.
  bool straight = true;  // Belongs into one line with its box, if it can.
};

struct LayoutGraph {
  int columns = 0;
  std::vector<int> column;  // Of each box.
  // Boxes that stand right above the first box that needs them, not at the top.
  std::vector<bool> hangs;
  // An edge to itself, or one that would close a circle, is drawn, but does not
  // count for the rows.
  std::vector<LayoutEdge> edges;
};

struct Point {
  int x = 0, y = 0;
  friend bool operator==(Point, Point) = default;
};

struct PlacedBox {
  int row = 0;
  int slot = 0;      // From the left, among the boxes of its row and column.
  int x = 0, y = 0;  // The upper left corner.
};

struct PlacedColumn {
  int x = 0, width = 0;
};

struct GraphPicture {
  std::vector<PlacedBox> boxes;
  // Of each edge, from box to box; horizontal and vertical lines only. The last
  // one points into the box.
  std::vector<std::vector<Point>> paths;
  std::vector<PlacedColumn> columns;
  int width = 0, height = 0;
};

// Rows are longest paths from the top; the order inside a row and column comes
// from barycentre sweeps (Sugiyama, Tagawa, Toda 1981).
GraphPicture LayOutGraph(const LayoutGraph& graph, const LayoutSizes& sizes);

// The steps of it, apart for tests.
std::vector<PlacedBox> PlaceOnGrid(const LayoutGraph& graph);

}  // namespace lamina::cli
