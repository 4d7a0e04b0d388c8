// The graph as SVG elements.
#pragma once

#include <string>

#include "backend/plan_report.h"
#include "cli/plan_formats/plan_graph.h"

namespace lamina::cli {

struct Drawing {
  std::string elements;  // One <g class="graph">, drawn from (0, 0).
  int width = 0, height = 0;
};

// Stages are columns, the target's at the right; layers are brackets beside it.
Drawing DrawGraph(const backend::PlanReport& report, const PlanGraph& graph);

}  // namespace lamina::cli
