// The sections of the page. Each is empty when the report has nothing to say
// about its subject.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "backend/plan_report.h"

namespace lamina::cli {

// <section> with a heading; `body` is HTML.
std::string Section(absl::string_view id, absl::string_view title,
                    absl::string_view body);

// Figures at the top: steps, time, layers, sizes, network.
std::string HtmlTiles(const backend::PlanReport& report);
// Layers before and after as bars, with dead bytes; cost(k) as a chart.
std::string HtmlLayers(const backend::PlanReport& report);
// Where layers end or not, and why.
std::string HtmlDecisions(const backend::PlanReport& report);
std::string HtmlSteps(const backend::PlanReport& report);
std::string HtmlWaste(const backend::PlanReport& report);
std::string HtmlRewrites(const backend::PlanReport& report);
// The last real build, a lane for each stage.
std::string HtmlTimeline(const backend::PlanReport& report);

// Of the page; needs the palette.
absl::string_view HtmlStyle();

}  // namespace lamina::cli
