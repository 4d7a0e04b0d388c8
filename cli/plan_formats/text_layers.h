// The part of the text about layers: which, why, what others would cost.
#pragma once

#include "backend/plan_report.h"
#include "cli/plan_formats/text_page.h"

namespace lamina::cli {

// Layers, merges, cuts, cost(k), runtimes, savings, rewrites: what the report
// has of them. Lists are cut to a dozen rows unless `verbose`.
void AddLayers(const backend::PlanReport& report, bool verbose, TextPage& page);

}  // namespace lamina::cli
