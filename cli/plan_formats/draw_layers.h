// Layers as brackets at the right of the graph.
#pragma once

#include <vector>

#include "backend/plan_report.h"
#include "cli/plan_formats/draw_graph.h"

namespace lamina::cli {

// A step of a layer, from its upper to its lower edge.
struct LayerSpan {
  int layer = 0;
  int top = 0, bottom = 0;
};

// Adds to the drawing. Layers that overlap (partitions) stand side by side;
// those of which no step is drawn are listed below.
void DrawLayers(const backend::PlanReport& report,
                const std::vector<LayerSpan>& spans, Drawing& drawing);

}  // namespace lamina::cli
