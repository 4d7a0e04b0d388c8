// The plan's predictions beside what was measured, after a build.
#pragma once

#include <string>

#include "backend/estimate_error.h"
#include "cli/plan_formats/plan_format.h"

namespace lamina::cli {

// A row for each step that ran and was predicted, the sum, and the figures of
// `over`, which cover earlier builds too. Empty where nothing was predicted.
std::string PrintEstimateReport(const backend::BuildForecast& build,
                                const backend::EstimateError& over,
                                const PlanPrintOptions& options);

}  // namespace lamina::cli
