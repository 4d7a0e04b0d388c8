// What a build is expected to do, asked before it runs and written into its
// record beside what it did (optimiser.md 7).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/build_record.h"
#include "backend/estimate.h"
#include "backend/estimate_error.h"
#include "backend/plan.h"
#include "backend/plan_export.h"

namespace lamina::backend {

// From the same instruction of `builds` (newest first), else from its last run
// in this store: mean, and the range seen.
Estimate ExpectSeconds(const Step& step, const std::string& text,
                       const std::vector<BuildDocument>& builds);

struct Forecast {
  std::vector<Estimate> seconds;  // Of each step of the plan.
  std::vector<Estimate> bytes;
  // First and last step of each own layer, from 1; none where layers are made
  // of paths.
  std::optional<std::vector<std::pair<int, int>>> layers;
};

Forecast MakeForecast(const Plan& plan, const PlannedExport& planned,
                      const std::vector<BuildDocument>& builds);

// `build` has the steps of that plan, and its layers.
void AddForecast(const Forecast& forecast, BuildDocument& build);

// Of the steps that ran.
BuildForecast ReadForecast(const BuildDocument& build);

}  // namespace lamina::backend
