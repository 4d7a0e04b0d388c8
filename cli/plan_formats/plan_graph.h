// The graph that the pictures draw: a report's steps as nodes with their words,
// chains folded where there are too many. Pure data; every text is raw.
#pragma once

#include <string>
#include <vector>

#include "backend/plan_report.h"
#include "cli/plan_formats/plan_format.h"

namespace lamina::cli {

struct GraphNode {
  enum class Kind { kStage, kStep, kFold };
  Kind kind = Kind::kStep;
  int stage = 0;  // Position in PlanGraph::stages.
  backend::ReportState state = backend::ReportState::kRun;
  bool removed = false;   // A pass dropped it (PlanStage::kDiff).
  bool critical = false;  // On the longest path.
  int layer = -1;         // Position in PlanReport::layers.
  // In the order of reading: "4", "copy", ". /src", "1.2 MiB · ~41 s". A stage
  // has its name as `text` and its base as `facts`. `number` is "4-15" of
  // folded steps, "{5+6} → 4" or "3 → 7" in a difference.
  std::string number, word, text, facts;
  std::vector<std::string> badges;  // What the optimiser did: "fused".
  std::vector<std::string> notes;   // Everything else that is known, by line.
  std::vector<int> steps;           // Numbers it stands for.
};

struct GraphEdge {
  int from = 0, to = 0;  // Positions of nodes.
  bool tree = true;      // The file system below; else files that are read.
  bool critical = false;
  std::string label;  // What is read: "/out/app".
};

struct PlanGraph {
  std::vector<backend::ReportStage> stages;
  std::string target;            // A stage's name.
  std::vector<GraphNode> nodes;  // An edge need not lead forwards.
  std::vector<GraphEdge> edges;
};

// The graph of `options.stage`; folded if it has more than `options.fold`
// steps. A report without steps as written draws the optimised graph only.
PlanGraph MakePlanGraph(const backend::PlanReport& report,
                        const PlanPrintOptions& options);

// Replaces each chain of three or more steps of one stage, state and layer, of
// which nothing else is read, by one node.
PlanGraph FoldChains(const PlanGraph& graph);

}  // namespace lamina::cli
