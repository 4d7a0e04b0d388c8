// Rows by longest path, slots by barycentre.
#include <algorithm>
#include <map>
#include <utility>

#include "cli/plan_formats/graph_layout.h"

namespace lamina::cli {
namespace {

constexpr int kSweeps = 4;

struct Links {
  std::vector<std::vector<int>> above, below;  // Of each box.
};

Links LinkBoxes(const LayoutGraph& graph) {
  const size_t count = graph.column.size();
  Links links = {std::vector<std::vector<int>>(count),
                 std::vector<std::vector<int>>(count)};
  for (const LayoutEdge& edge : graph.edges) {
    if (edge.from != edge.to) {
      links.above[edge.to].push_back(edge.from);
      links.below[edge.from].push_back(edge.to);
    }
  }
  return links;
}

// Longest paths, box after box as soon as all above it are placed (Kahn 1962).
// In a circle the first box that is left is placed as if nothing were above it.
std::vector<int> FindRows(const LayoutGraph& graph, const Links& links) {
  const size_t count = graph.column.size();
  std::vector<int> rows(count, 0);
  std::vector<size_t> waiting(count);
  std::vector<bool> done(count, false);
  std::vector<int> ready;
  for (size_t i = 0; i < count; ++i) {
    waiting[i] = links.above[i].size();
    if (waiting[i] == 0) {
      ready.push_back(static_cast<int>(i));
    }
  }
  size_t next_in_circle = 0;
  for (size_t placed = 0; placed < count; ++placed) {
    if (ready.empty()) {
      while (done[next_in_circle]) {
        ++next_in_circle;
      }
      ready.push_back(static_cast<int>(next_in_circle));
    }
    const int box = ready.back();
    ready.pop_back();
    done[box] = true;
    for (int below : links.below[box]) {
      if (done[below]) {
        continue;
      }
      rows[below] = std::max(rows[below], rows[box] + 1);
      if (--waiting[below] == 0) {
        ready.push_back(below);
      }
    }
  }
  return rows;
}

void LowerHangingBoxes(const LayoutGraph& graph, const Links& links,
                       std::vector<int>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!graph.hangs[i] || links.below[i].empty()) {
      continue;
    }
    int first = rows[links.below[i][0]];
    for (int below : links.below[i]) {
      first = std::min(first, rows[below]);
    }
    rows[i] = std::max(rows[i], first - 1);
  }
}

// The boxes of each row and column, from left to right.
using Cells = std::map<std::pair<int, int>, std::vector<int>>;

class Sorter {
 public:
  Sorter(const LayoutGraph& graph, const Links& links, Cells& cells)
      : graph_(graph),
        links_(links),
        cells_(cells),
        slot_(graph.column.size()) {
    for (auto& [place, boxes] : cells_) {
      Number(boxes);
    }
  }

  void Sort() {
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      for (auto& [place, boxes] : cells_) {
        SortCell(boxes, links_.above);
      }
      for (auto cell = cells_.rbegin(); cell != cells_.rend(); ++cell) {
        SortCell(cell->second, links_.below);
      }
    }
  }

 private:
  struct Mean {
    int64_t sum = 0;
    int64_t count = 0;
  };

  void Number(const std::vector<int>& boxes) {
    for (size_t i = 0; i < boxes.size(); ++i) {
      slot_[boxes[i]] = static_cast<int>(i);
    }
  }

  // A column is worth more than any slot.
  int64_t Position(int box) const {
    return graph_.column[box] * int64_t{100000} + slot_[box];
  }

  void SortCell(std::vector<int>& boxes,
                const std::vector<std::vector<int>>& neighbours) {
    if (boxes.size() < 2) {
      return;
    }
    std::map<int, Mean> means;
    for (int box : boxes) {
      Mean mean;
      for (int other : neighbours[box]) {
        mean.sum += Position(other);
        ++mean.count;
      }
      // Without neighbours it stays where it is.
      means[box] = mean.count > 0 ? mean : Mean{Position(box), 1};
    }
    std::stable_sort(boxes.begin(), boxes.end(), [&means](int a, int b) {
      return means[a].sum * means[b].count < means[b].sum * means[a].count;
    });
    Number(boxes);
  }

  const LayoutGraph& graph_;
  const Links& links_;
  Cells& cells_;
  std::vector<int> slot_;
};

// `graph` with an empty box wherever a straight edge passes a row of its own
// column, so that no other box is put in its way. `rows` grows with it.
LayoutGraph AddPassages(const LayoutGraph& graph, std::vector<int>& rows) {
  LayoutGraph filled = graph;
  filled.edges.clear();
  for (const LayoutEdge& edge : graph.edges) {
    int above = edge.from;
    if (edge.straight && graph.column[edge.from] == graph.column[edge.to]) {
      for (int row = rows[edge.from] + 1; row < rows[edge.to]; ++row) {
        const int passage = static_cast<int>(rows.size());
        filled.column.push_back(graph.column[edge.from]);
        filled.hangs.push_back(false);
        filled.edges.push_back({above, passage, true});
        rows.push_back(row);
        above = passage;
      }
    }
    filled.edges.push_back({above, edge.to, edge.straight});
  }
  return filled;
}

}  // namespace

std::vector<PlacedBox> PlaceOnGrid(const LayoutGraph& graph) {
  std::vector<int> rows = FindRows(graph, LinkBoxes(graph));
  LowerHangingBoxes(graph, LinkBoxes(graph), rows);
  const LayoutGraph filled = AddPassages(graph, rows);
  const Links links = LinkBoxes(filled);
  Cells cells;
  auto add = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      cells[{rows[i], filled.column[i]}].push_back(static_cast<int>(i));
    }
  };
  // Passages first: what could stand in the line of a chain gives way to the
  // chain.
  add(graph.column.size(), rows.size());
  add(0, graph.column.size());
  Sorter(filled, links, cells).Sort();
  std::vector<PlacedBox> boxes(graph.column.size());
  for (const auto& [place, order] : cells) {
    for (size_t slot = 0; slot < order.size(); ++slot) {
      if (order[slot] < static_cast<int>(boxes.size())) {
        boxes[order[slot]].row = place.first;
        boxes[order[slot]].slot = static_cast<int>(slot);
      }
    }
  }
  return boxes;
}

}  // namespace lamina::cli
