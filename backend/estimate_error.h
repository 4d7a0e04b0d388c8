// How good the plan's predictions were (optimiser.md 7): pure functions of what
// was predicted and what was measured.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/plan_report.h"

namespace lamina::backend {

// One step that ran.
struct StepForecast {
  int step = 0;  // Number in the plan.
  std::string text;
  Estimate bytes, seconds;  // As predicted.
  std::optional<double> measured_bytes, measured_seconds;
};

// One finished build.
struct BuildForecast {
  std::vector<StepForecast> steps;
  // Whether the predicted layer list was the final one; none: no layers were
  // predicted.
  std::optional<bool> same_layers;
};

// How many builds back the figures go.
inline constexpr size_t kForecastBuilds = 20;

// Of one quantity. Only guesses count: what was read or recorded (`exact`)
// cannot be wrong and would flatter them. Nothing where too little was
// predicted to say.
struct EstimateFigures {
  int count = 0;               // Steps with a guess and a measurement.
  std::optional<double> mape;  // Mean of |predicted - measured| / measured,
                               // over measurements above zero; 0.1 is 10 %.
  std::optional<double> bias;  // Sum of predictions / sum of measurements - 1.
  std::optional<double> rank;  // Spearman's correlation of both orders, with
                               // mean ranks for ties; -1 to 1.
  std::optional<double> inside;  // Share of measurements inside P10 to P90;
                                 // good estimates have 0.8.
};

struct EstimateError {
  int builds = 0;
  EstimateFigures bytes, seconds;
  int layer_lists = 0;       // Builds that predicted one,
  int same_layer_lists = 0;  // and were right.
};

// Over the last kForecastBuilds of `builds`, oldest first.
EstimateError MeasureEstimates(const std::vector<BuildForecast>& builds);

// Spearman's rank correlation; nothing for fewer than two pairs or where one
// side is all the same.
std::optional<double> RankCorrelation(const std::vector<double>& a,
                                      const std::vector<double>& b);

}  // namespace lamina::backend
