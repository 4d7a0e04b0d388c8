// Reports made by hand, for the tests of the plan's forms.
#pragma once

#include <string>
#include <vector>

#include "backend/plan_report.h"

namespace lamina::cli {

// Six steps on one base, merged into three layers: the worked example of
// optimiser.md 7.
backend::PlanReport SimpleReport();

// Three stages, two of them skipped or cached; a step that was dropped, two
// that were fused, one that was moved; a real build before.
backend::PlanReport StagesReport();

// One chain of `count` steps: long enough to be folded.
backend::PlanReport LongReport(int count);

// Texts that try to leave their place in HTML, SVG, DOT, Mermaid, JSON and on a
// terminal.
backend::PlanReport HostileReport();

// Nothing is known: no bases, sizes, layers or times.
backend::PlanReport UnknownReport();

struct NamedReport {
  std::string name;
  backend::PlanReport report;
};
std::vector<NamedReport> AllTestReports();

}  // namespace lamina::cli
