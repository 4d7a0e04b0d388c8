// The graph in Mermaid's language, which GitHub and GitLab draw in Markdown.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "cli/plan_formats/plan_graph.h"

namespace lamina::cli {
namespace {

using backend::ReportState;

constexpr size_t kLabelBytes = 60;

// Mermaid has no escape character: what could end a label, begin Markdown,
// HTML or a directive is written as `#` code `;`, its own notation.
std::string Escaped(absl::string_view raw) {
  std::string text = EscapeControls(KeepStart(raw, kLabelBytes));
  if (raw.size() > kLabelBytes) {
    absl::StrAppend(&text, "…");
  }
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || absl::ascii_isalnum(byte) ||
        absl::string_view(" .,:/+=@-").find(c) != absl::string_view::npos) {
      out += c;
    } else {
      absl::StrAppend(&out, "#", static_cast<int>(byte), ";");
    }
  }
  return out;
}

std::string LabelOf(const GraphNode& node) {
  if (node.kind == GraphNode::Kind::kStage) {
    return absl::StrCat(Escaped(node.text), "<br/>", Escaped(node.facts));
  }
  std::string label =
      Escaped(absl::StrCat(node.number, " ", node.word, " ", node.text));
  if (!node.facts.empty()) {
    absl::StrAppend(&label, "<br/>", Escaped(node.facts));
  }
  if (!node.badges.empty()) {
    absl::StrAppend(&label, "<br/>", Escaped(absl::StrJoin(node.badges, ", ")));
  }
  return label;
}

absl::string_view ClassOf(const GraphNode& node) {
  if (node.kind == GraphNode::Kind::kStage) {
    return "base";
  }
  switch (node.state) {
    case ReportState::kCached:
      return node.critical ? "cachedBold" : "cached";
    case ReportState::kRun:
      return node.critical ? "runBold" : "run";
    case ReportState::kSkipped:
      return "skipped";
  }
  return "";
}

void AppendStage(const PlanGraph& graph, size_t stage, std::string& out) {
  const std::string& name = graph.stages[stage].name;
  absl::StrAppend(&out, "  subgraph s", stage, "[\"",
                  name.empty() ? "image" : Escaped(name), "\"]\n");
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    if (node.stage == static_cast<int>(stage)) {
      absl::StrAppend(&out, "    n", i, "[\"", LabelOf(node),
                      "\"]:::", ClassOf(node), "\n");
    }
  }
  absl::StrAppend(&out, "  end\n");
}

void AppendEdge(const GraphEdge& edge, std::string& out) {
  absl::string_view arrow = edge.critical ? " ==> " : " --> ";
  if (!edge.tree) {
    arrow = " -.-> ";
  }
  absl::StrAppend(&out, "  n", edge.from, arrow,
                  edge.label.empty()
                      ? ""
                      : absl::StrCat("|\"", Escaped(edge.label), "\"| "),
                  "n", edge.to, "\n");
}

std::string Print(const backend::PlanReport& report,
                  const PlanPrintOptions& options) {
  const PlanGraph graph = MakePlanGraph(report, options);
  std::string out = "flowchart TB\n";
  for (size_t stage = 0; stage < graph.stages.size(); ++stage) {
    AppendStage(graph, stage, out);
  }
  for (const GraphEdge& edge : graph.edges) {
    AppendEdge(edge, out);
  }
  absl::StrAppend(&out,
                  "  classDef base stroke:#6b7280,stroke-width:1px\n"
                  "  classDef cached stroke:#0072b2,stroke-width:1px\n"
                  "  classDef cachedBold stroke:#0072b2,stroke-width:3px\n"
                  "  classDef run stroke:#b35c00,stroke-width:1px\n"
                  "  classDef runBold stroke:#b35c00,stroke-width:3px\n"
                  "  classDef skipped stroke:#8b929c,stroke-dasharray:4\n");
  return out;
}

}  // namespace

constinit const PlanFormat kPlanMermaid = {
    .name = "mermaid",
    .summary = "the graph for Markdown on GitHub and GitLab",
    .print = Print,
    .draws = true,
};

}  // namespace lamina::cli
