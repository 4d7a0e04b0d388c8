// The graph in Graphviz's language. We never call `dot` ourselves.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "cli/plan_formats/plan_graph.h"

namespace lamina::cli {
namespace {

using backend::ReportState;

// The inside of a quoted string: `"` and `\` are its only special characters.
// Lines end with \n.
std::string Quoted(const std::vector<std::string>& lines) {
  std::vector<std::string> safe;
  for (const std::string& line : lines) {
    std::string text;
    for (char c : EscapeControls(line)) {
      if (c == '"' || c == '\\') {
        text += '\\';
      }
      text += c;
    }
    safe.push_back(std::move(text));
  }
  return absl::StrCat("\"", absl::StrJoin(safe, "\\n"), "\"");
}

// A label must stay readable: Graphviz does not break lines.
constexpr size_t kLabelBytes = 60;
std::string Short(absl::string_view text) {
  if (text.size() <= kLabelBytes) {
    return std::string(text);
  }
  return absl::StrCat(KeepStart(text, kLabelBytes), "…");
}

absl::string_view StyleOf(const GraphNode& node) {
  if (node.kind == GraphNode::Kind::kStage) {
    return " shape=oval color=\"#6b7280\"";
  }
  switch (node.state) {
    case ReportState::kCached:
      return " color=\"#0072b2\" fillcolor=\"#e3f0f8\" style=filled";
    case ReportState::kRun:
      return " color=\"#b35c00\" fillcolor=\"#fdf0dc\" style=filled";
    case ReportState::kSkipped:
      return " color=\"#8b929c\" fontcolor=\"#6b7280\" style=dashed";
  }
  return "";
}

std::vector<std::string> LabelOf(const GraphNode& node) {
  if (node.kind == GraphNode::Kind::kStage) {
    return {Short(node.text), Short(node.facts)};
  }
  std::vector<std::string> lines = {
      Short(absl::StrCat(node.number, " ", node.word, " ", node.text))};
  if (!node.facts.empty()) {
    lines.push_back(Short(node.facts));
  }
  if (!node.badges.empty()) {
    lines.push_back(absl::StrCat("[", absl::StrJoin(node.badges, ", "), "]"));
  }
  return lines;
}

void AppendStage(const PlanGraph& graph, size_t stage, std::string& out) {
  absl::StrAppend(&out, "  subgraph cluster_", stage,
                  " {\n    label=", Quoted({Short(graph.stages[stage].name)}),
                  ";\n    color=\"#c5cad1\";\n");
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    if (node.stage != static_cast<int>(stage)) {
      continue;
    }
    absl::StrAppend(&out, "    n", i, " [label=", Quoted(LabelOf(node)),
                    StyleOf(node), node.critical ? " penwidth=2.5" : "",
                    " tooltip=", Quoted(node.notes), "];\n");
  }
  absl::StrAppend(&out, "  }\n");
}

void AppendEdge(const GraphEdge& edge, std::string& out) {
  std::vector<std::string> attributes;
  if (!edge.tree) {
    attributes.push_back("style=dashed");
  }
  if (edge.critical) {
    attributes.push_back("penwidth=2.5");
  }
  if (!edge.label.empty()) {
    attributes.push_back(absl::StrCat("label=", Quoted({Short(edge.label)})));
  }
  absl::StrAppend(&out, "  n", edge.from, " -> n", edge.to);
  if (!attributes.empty()) {
    absl::StrAppend(&out, " [", absl::StrJoin(attributes, " "), "]");
  }
  absl::StrAppend(&out, ";\n");
}

std::string Print(const backend::PlanReport& report,
                  const PlanPrintOptions& options) {
  const PlanGraph graph = MakePlanGraph(report, options);
  std::string out =
      "digraph plan {\n"
      "  rankdir=TB;\n"
      "  node [shape=box fontname=\"monospace\" fontsize=11];\n"
      "  edge [color=\"#4b5563\" fontname=\"monospace\" fontsize=10];\n";
  for (size_t stage = 0; stage < graph.stages.size(); ++stage) {
    AppendStage(graph, stage, out);
  }
  for (const GraphEdge& edge : graph.edges) {
    AppendEdge(edge, out);
  }
  absl::StrAppend(&out, "}\n");
  return out;
}

}  // namespace

constinit const PlanFormat kPlanDot = {
    .name = "dot",
    .summary = "the graph in Graphviz's language",
    .print = Print,
    .draws = true,
};

}  // namespace lamina::cli
