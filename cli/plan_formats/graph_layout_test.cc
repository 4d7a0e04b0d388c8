// The layout is checked by what must hold for every picture, on hand-made and
// on random graphs.
#include "cli/plan_formats/graph_layout.h"

#include <gtest/gtest.h>

#include <random>

namespace lamina::cli {
namespace {

constexpr LayoutSizes kSizes;

LayoutGraph Graph(int columns, std::vector<int> column,
                  std::vector<LayoutEdge> edges) {
  LayoutGraph graph = {.columns = columns,
                       .column = std::move(column),
                       .edges = std::move(edges)};
  graph.hangs.assign(graph.column.size(), false);
  return graph;
}

bool Overlap(const PlacedBox& a, const PlacedBox& b) {
  return a.x < b.x + kSizes.box_width && b.x < a.x + kSizes.box_width &&
         a.y < b.y + kSizes.box_height && b.y < a.y + kSizes.box_height;
}

// True if the line runs through the inside of the box.
bool Crosses(Point a, Point b, const PlacedBox& box) {
  return std::min(a.x, b.x) < box.x + kSizes.box_width &&
         std::max(a.x, b.x) > box.x &&
         std::min(a.y, b.y) < box.y + kSizes.box_height &&
         std::max(a.y, b.y) > box.y;
}

bool OnBorder(Point point, const PlacedBox& box) {
  const bool inside = point.x >= box.x && point.y >= box.y &&
                      point.x <= box.x + kSizes.box_width &&
                      point.y <= box.y + kSizes.box_height;
  const bool edge = point.x == box.x || point.y == box.y ||
                    point.x == box.x + kSizes.box_width ||
                    point.y == box.y + kSizes.box_height;
  return inside && edge;
}

void ExpectSound(const LayoutGraph& graph) {
  const GraphPicture picture = LayOutGraph(graph, kSizes);
  ASSERT_EQ(picture.boxes.size(), graph.column.size());
  ASSERT_EQ(picture.paths.size(), graph.edges.size());
  for (size_t i = 0; i < picture.boxes.size(); ++i) {
    const PlacedBox& box = picture.boxes[i];
    const PlacedColumn& column = picture.columns[graph.column[i]];
    EXPECT_GE(box.x, column.x);
    EXPECT_LE(box.x + kSizes.box_width, column.x + column.width);
    EXPECT_LE(box.y + kSizes.box_height, picture.height);
    for (size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(Overlap(box, picture.boxes[j])) << i << " and " << j;
    }
  }
  for (size_t i = 0; i < picture.paths.size(); ++i) {
    const std::vector<Point>& path = picture.paths[i];
    ASSERT_GE(path.size(), 2u);
    EXPECT_TRUE(OnBorder(path.front(), picture.boxes[graph.edges[i].from]));
    EXPECT_TRUE(OnBorder(path.back(), picture.boxes[graph.edges[i].to]));
    for (size_t k = 1; k < path.size(); ++k) {
      EXPECT_TRUE(path[k].x == path[k - 1].x || path[k].y == path[k - 1].y);
      EXPECT_GE(path[k].x, 0);
      EXPECT_LE(path[k].x, picture.width);
      for (const PlacedBox& box : picture.boxes) {
        EXPECT_FALSE(Crosses(path[k - 1], path[k], box)) << "edge " << i;
      }
    }
  }
}

TEST(GraphLayout, RowsAreLongestPaths) {
  // 0 -> 1 -> 2, 0 -> 2: the short cut does not count.
  const std::vector<PlacedBox> boxes =
      PlaceOnGrid(Graph(1, {0, 0, 0}, {{0, 2}, {0, 1}, {1, 2}}));
  EXPECT_EQ(boxes[0].row, 0);
  EXPECT_EQ(boxes[1].row, 1);
  EXPECT_EQ(boxes[2].row, 2);
}

TEST(GraphLayout, HangingBoxesStandAboveTheFirstThatNeedsThem) {
  LayoutGraph graph =
      Graph(2, {0, 0, 0, 1, 1}, {{0, 1}, {1, 2}, {2, 4}, {3, 4}});
  EXPECT_EQ(PlaceOnGrid(graph)[3].row, 0);
  graph.hangs[3] = true;
  EXPECT_EQ(PlaceOnGrid(graph)[3].row, 2);
}

TEST(GraphLayout, AChainStaysInOneLine) {
  // 0 -> 1 with a long way over another column; 2 stands beside the way.
  const LayoutGraph graph = Graph(
      2, {0, 0, 0, 1, 1}, {{0, 2}, {0, 1}, {3, 4}, {0, 3}, {4, 1, false}});
  const GraphPicture picture = LayOutGraph(graph, kSizes);
  EXPECT_EQ(picture.boxes[0].x, picture.boxes[1].x);
  EXPECT_GT(picture.boxes[2].x, picture.boxes[1].x);
  EXPECT_EQ(picture.paths[1].size(), 2u);
  ExpectSound(graph);
}

TEST(GraphLayout, SweepsUncrossEdges) {
  // Two boxes above, two below, crossed as they are numbered.
  const std::vector<PlacedBox> boxes =
      PlaceOnGrid(Graph(1, {0, 0, 0, 0}, {{0, 3}, {1, 2}}));
  EXPECT_EQ(boxes[0].slot < boxes[1].slot, boxes[3].slot < boxes[2].slot);
}

TEST(GraphLayout, CirclesAndLoopsAreDrawnAllTheSame) {
  ExpectSound(Graph(2, {0, 1, 0}, {{0, 1}, {1, 2}, {2, 0}}));
  EXPECT_EQ(LayOutGraph(Graph(1, {0}, {{0, 0}}), kSizes).paths.size(), 1u);
  EXPECT_EQ(LayOutGraph(Graph(0, {}, {}), kSizes).boxes.size(), 0u);
}

TEST(GraphLayout, NoEdgeRunsThroughABox) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const int columns = 1 + static_cast<int>(random() % 5);
    const int count = 2 + static_cast<int>(random() % 24);
    LayoutGraph graph = {.columns = columns};
    for (int i = 0; i < count; ++i) {
      graph.column.push_back(static_cast<int>(random() % columns));
      graph.hangs.push_back(random() % 6 == 0);
      for (int edge = 0; i > 0 && edge < 2; ++edge) {
        graph.edges.push_back(
            {static_cast<int>(random() % i), i, random() % 2 == 0});
      }
    }
    SCOPED_TRACE(round);
    ExpectSound(graph);
    if (HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace lamina::cli
