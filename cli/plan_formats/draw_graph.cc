#include "cli/plan_formats/draw_graph.h"

#include <algorithm>
#include <climits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "cli/plan_formats/draw_layers.h"
#include "cli/plan_formats/graph_layout.h"
#include "cli/plan_formats/markup.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::ReportState;

constexpr int kMargin = 14;   // Around all columns.
constexpr int kPadding = 12;  // Inside a box.
constexpr int kCorner = 7;
// Widths of characters in pixels, a little more than the usual fonts need,
// because nobody measures them here.
constexpr double kMonoWidth = 6.7;
constexpr double kSmallWidth = 6.5;
constexpr double kTagWidth = 5.9;
constexpr double kBoldWidth = 7.8;

// Columns in the order of the file, the target's last: it stands beside the
// layers.
std::vector<int> ColumnOfStages(const PlanGraph& graph) {
  std::vector<int> column(graph.stages.size());
  int next = 0;
  for (size_t i = 0; i < column.size(); ++i) {
    if (graph.stages[i].name != graph.target) {
      column[i] = next++;
    }
  }
  for (size_t i = 0; i < column.size(); ++i) {
    if (graph.stages[i].name == graph.target) {
      column[i] = next++;
    }
  }
  return column;
}

GraphPicture Place(const PlanGraph& graph, const std::vector<int>& columns,
                   const LayoutSizes& sizes) {
  LayoutGraph layout = {.columns = static_cast<int>(graph.stages.size())};
  for (const GraphNode& node : graph.nodes) {
    layout.column.push_back(columns[node.stage]);
    layout.hangs.push_back(node.kind == GraphNode::Kind::kStage);
  }
  for (const GraphEdge& edge : graph.edges) {
    layout.edges.push_back(
        {.from = edge.from, .to = edge.to, .straight = edge.tree});
  }
  return LayOutGraph(layout, sizes);
}

absl::string_view ClassOf(const GraphNode& node) {
  if (node.kind == GraphNode::Kind::kStage) {
    return "stage";
  }
  return StateWord(node.state);
}

absl::string_view MarkOf(ReportState state) {
  switch (state) {
    case ReportState::kCached:
      return "✓ cached";
    case ReportState::kRun:
      return "▸ run";
    case ReportState::kSkipped:
      return "– skipped";
  }
  return "";
}

class Painter {
 public:
  Painter(const PlanGraph& graph, const std::vector<int>& columns,
          const LayoutSizes& sizes)
      : graph_(graph),
        columns_(columns),
        sizes_(sizes),
        picture_(Place(graph, columns, sizes)) {}

  std::string Paint() {
    PaintColumns();
    for (size_t i = 0; i < graph_.edges.size(); ++i) {
      // Those on the longest path lie above the others.
      if (!graph_.edges[i].critical) {
        PaintEdge(i);
      }
    }
    for (size_t i = 0; i < graph_.edges.size(); ++i) {
      if (graph_.edges[i].critical) {
        PaintEdge(i);
      }
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      PaintNode(i);
    }
    return std::move(out_);
  }

  const GraphPicture& picture() const { return picture_; }

 private:
  int X(int x) const { return x + kMargin; }
  int Y(int y) const { return y + kMargin; }

  // A calm ground behind the rows that a stage uses.
  void PaintColumns() {
    for (size_t stage = 0; stage < graph_.stages.size(); ++stage) {
      int top = INT_MAX;
      int bottom = 0;
      for (size_t i = 0; i < graph_.nodes.size(); ++i) {
        if (graph_.nodes[i].stage == static_cast<int>(stage)) {
          top = std::min(top, picture_.boxes[i].y);
          bottom = std::max(bottom, picture_.boxes[i].y + sizes_.box_height);
        }
      }
      const PlacedColumn& column = picture_.columns[columns_[stage]];
      absl::StrAppendFormat(
          &out_,
          "<rect class=\"col\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
          "rx=\"12\"/>\n",
          X(column.x) - 10, Y(top) - 10, column.width + 20, bottom - top + 20);
    }
  }

  void PaintEdge(size_t index) {
    const GraphEdge& edge = graph_.edges[index];
    std::vector<Point> path = picture_.paths[index];
    const Point end = path.back();
    const Point before = path[path.size() - 2];
    // The line ends where the arrow's head begins.
    const int dx = end.x > before.x ? 1 : end.x < before.x ? -1 : 0;
    const int dy = end.y > before.y ? 1 : end.y < before.y ? -1 : 0;
    path.back() = {end.x - 6 * dx, end.y - 6 * dy};
    const bool maybe = graph_.nodes[edge.to].state == ReportState::kSkipped;
    absl::StrAppend(&out_, "<g class=\"e", edge.tree ? "" : " read",
                    edge.critical ? " crit" : "", maybe ? " maybe" : "", "\">");
    if (!edge.label.empty()) {
      absl::StrAppend(&out_, "<title>", EscapeMarkup(edge.label), "</title>");
    }
    absl::StrAppend(&out_, "<path d=\"", Rounded(path), "\"/>");
    absl::StrAppendFormat(
        &out_, "<polygon points=\"%d,%d %d,%d %d,%d\"/></g>\n", X(end.x),
        Y(end.y), X(end.x - 7 * dx - 4 * dy), Y(end.y - 7 * dy - 4 * dx),
        X(end.x - 7 * dx + 4 * dy), Y(end.y - 7 * dy + 4 * dx));
  }

  // The lines with round corners.
  std::string Rounded(const std::vector<Point>& path) const {
    std::string d = absl::StrCat("M", X(path[0].x), " ", Y(path[0].y));
    for (size_t i = 1; i < path.size(); ++i) {
      const Point at = path[i];
      if (i + 1 == path.size()) {
        absl::StrAppend(&d, "L", X(at.x), " ", Y(at.y));
        break;
      }
      const Point in = Towards(at, path[i - 1]);
      const Point out = Towards(at, path[i + 1]);
      absl::StrAppend(&d, "L", X(in.x), " ", Y(in.y), "Q", X(at.x), " ",
                      Y(at.y), " ", X(out.x), " ", Y(out.y));
    }
    return d;
  }

  // A point on the line from `at` to `to`, a corner's radius away or half way.
  static Point Towards(Point at, Point to) {
    const int dx = to.x - at.x;
    const int dy = to.y - at.y;
    const int reach = std::min(kCorner, (std::abs(dx) + std::abs(dy)) / 2);
    return {at.x + (dx > 0   ? reach
                    : dx < 0 ? -reach
                             : 0),
            at.y + (dy > 0   ? reach
                    : dy < 0 ? -reach
                             : 0)};
  }

  void Text(absl::string_view css, int x, int y, absl::string_view raw,
            double room, double character) {
    const auto columns = static_cast<size_t>(std::max(1.0, room / character));
    absl::StrAppend(&out_, "<text class=\"", css, "\" x=\"", x, "\" y=\"", y,
                    "\">", FitMarkup(raw, columns), "</text>");
  }

  void PaintNode(size_t index) {
    const GraphNode& node = graph_.nodes[index];
    const int x = X(picture_.boxes[index].x);
    const int y = Y(picture_.boxes[index].y);
    absl::StrAppend(&out_, "<g class=\"n ", ClassOf(node),
                    node.critical ? " crit" : "", node.removed ? " gone" : "",
                    "\"><title>");
    std::vector<std::string> notes;
    for (const std::string& note : node.notes) {
      notes.push_back(FitMarkup(note, 400));
    }
    absl::StrAppend(&out_, absl::StrJoin(notes, "\n"), "</title>");
    if (node.kind == GraphNode::Kind::kFold) {
      PaintRect("box", x + 4, y + 4, sizes_.box_width, sizes_.box_height);
    }
    PaintRect("box", x, y, sizes_.box_width, sizes_.box_height);
    if (node.kind == GraphNode::Kind::kStage) {
      PaintStage(node, x, y);
    } else {
      PaintStep(node, x, y);
    }
    absl::StrAppend(&out_, "</g>\n");
  }

  void PaintRect(absl::string_view css, int x, int y, int width, int height) {
    absl::StrAppend(&out_, "<rect class=\"", css, "\" x=\"", x, "\" y=\"", y,
                    "\" width=\"", width, "\" height=\"", height, "\" rx=\"",
                    std::min(7, height / 2), "\"/>");
  }

  void PaintStage(const GraphNode& node, int x, int y) {
    const int room = sizes_.box_width - 2 * kPadding;
    const bool target = !graph_.target.empty() && node.text == graph_.target;
    Text("bold", x + kPadding, y + 26, node.text, target ? room - 60 : room,
         kBoldWidth);
    Text("mono small", x + kPadding, y + 45,
         node.facts.empty() ? "" : absl::StrCat("FROM ", node.facts), room,
         kMonoWidth);
    if (target) {
      PaintTag(x + sizes_.box_width - kPadding - 44, y + 14, "target");
    }
  }

  // Returns the width.
  int PaintTag(int x, int y, absl::string_view raw) {
    const int width = static_cast<int>(DisplayWidth(raw) * kTagWidth) + 9;
    PaintRect("pill", x, y, width, 15);
    absl::StrAppendFormat(&out_,
                          "<text class=\"tag\" x=\"%d\" y=\"%d\" "
                          "text-anchor=\"middle\">%s</text>",
                          x + width / 2, y + 11, EscapeMarkup(raw));
    return width;
  }

  void PaintStep(const GraphNode& node, int x, int y) {
    const int room = sizes_.box_width - 2 * kPadding;
    const std::string head = absl::StrCat(node.number, " ", node.word);
    absl::StrAppendFormat(&out_,
                          "<text class=\"bold\" x=\"%d\" y=\"%d\"><tspan "
                          "class=\"num\">%s</tspan> %s</text>",
                          x + kPadding, y + 20, FitMarkup(node.number, 16),
                          FitMarkup(node.word, 10));
    absl::StrAppendFormat(&out_,
                          "<text class=\"small state\" x=\"%d\" "
                          "y=\"%d\" text-anchor=\"end\">%s</text>",
                          x + sizes_.box_width - kPadding, y + 20,
                          node.removed ? "– removed" : MarkOf(node.state));
    PaintBadges(
        node,
        x + kPadding + 6 + static_cast<int>(DisplayWidth(head) * kBoldWidth),
        x + sizes_.box_width - kPadding - 66, y + 9);
    Text("mono", x + kPadding, y + 37, node.text, room, kMonoWidth);
    Text(node.kind == GraphNode::Kind::kFold ? "mono small" : "small",
         x + kPadding, y + 53, node.facts, room,
         node.kind == GraphNode::Kind::kFold ? kMonoWidth : kSmallWidth);
  }

  // As many as there is room for; `+2` counts the others.
  void PaintBadges(const GraphNode& node, int x, int end, int y) {
    for (size_t i = 0; i < node.badges.size(); ++i) {
      if (node.badges[i] == "removed") {
        continue;  // The state says so.
      }
      const int width =
          static_cast<int>(DisplayWidth(node.badges[i]) * kTagWidth) + 9;
      if (x + width > end) {
        PaintTag(x, y, absl::StrCat("+", node.badges.size() - i));
        return;
      }
      x += PaintTag(x, y, node.badges[i]) + 4;
    }
  }

  const PlanGraph& graph_;
  const std::vector<int>& columns_;
  const LayoutSizes& sizes_;
  const GraphPicture picture_;
  std::string out_;
};

}  // namespace

Drawing DrawGraph(const backend::PlanReport& report, const PlanGraph& graph) {
  const LayoutSizes sizes;
  const std::vector<int> columns = ColumnOfStages(graph);
  Painter painter(graph, columns, sizes);
  Drawing drawing;
  drawing.elements = absl::StrCat("<g class=\"graph\">\n", painter.Paint());
  drawing.width = painter.picture().width + 2 * kMargin;
  drawing.height = painter.picture().height + 2 * kMargin;
  std::vector<LayerSpan> spans;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const int y = painter.picture().boxes[i].y + kMargin;
    if (graph.nodes[i].layer >= 0) {
      spans.push_back({graph.nodes[i].layer, y, y + sizes.box_height});
    }
  }
  DrawLayers(report, spans, drawing);
  absl::StrAppend(&drawing.elements, "</g>\n");
  return drawing;
}

}  // namespace lamina::cli
