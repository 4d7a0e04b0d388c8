#include "backend/forecast.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace lamina::backend {
namespace {

// Of as many measurements as a machine's habits stay the same for.
constexpr size_t kMeasurements = 20;

}  // namespace

Estimate ExpectSeconds(const Step& step, const std::string& text,
                       const std::vector<BuildDocument>& builds) {
  std::vector<double> seen;
  for (const BuildDocument& build : builds) {
    for (const BuiltStep& built : build.steps) {
      if (built.state == "run" && built.text == text &&
          seen.size() < kMeasurements) {
        seen.push_back(built.seconds);
      }
    }
  }
  if (seen.empty() && step.expected_seconds.has_value()) {
    seen.push_back(*step.expected_seconds);
  }
  if (seen.empty()) {
    return {.source = "unknown"};
  }
  std::sort(seen.begin(), seen.end());
  return {.mean = std::accumulate(seen.begin(), seen.end(), 0.0) / seen.size(),
          .low = seen[seen.size() / 10],
          .high = seen[seen.size() - 1 - seen.size() / 10],
          .source = seen.size() == 1
                        ? "last build"
                        : absl::StrCat("last ", seen.size(), " builds")};
}

Forecast MakeForecast(const Plan& plan, const PlannedExport& planned,
                      const std::vector<BuildDocument>& builds) {
  Forecast forecast;
  for (const Step& step : plan.steps) {
    forecast.seconds.push_back(
        ExpectSeconds(step, plan.graph.nodes[step.node].text, builds));
  }
  forecast.bytes.resize(plan.steps.size());
  std::vector<int> positions = StepsOfNodes(plan);
  for (size_t i = 0; i < planned.chain.steps.size(); ++i) {
    forecast.bytes[positions[planned.chain.steps[i].index]] =
        planned.predicted.bytes[i];
  }
  if (planned.layout.has_value() && planned.predicted.complete &&
      planned.layout->mode != ir::LayoutMode::kPartition) {
    forecast.layers.emplace();
    for (const ir::LayoutLayer& layer : planned.layout->layers) {
      forecast.layers->emplace_back(layer.first, layer.last);
    }
  }
  return forecast;
}

void AddForecast(const Forecast& forecast, BuildDocument& build) {
  for (size_t i = 0; i < build.steps.size(); ++i) {
    build.steps[i].expected_seconds = forecast.seconds[i];
    build.steps[i].expected_bytes = forecast.bytes[i];
  }
  if (forecast.layers.has_value()) {
    std::vector<std::pair<int, int>> made;
    for (const BuiltLayer& layer : build.layers) {
      made.emplace_back(layer.first, layer.last);
    }
    build.same_layers = made == *forecast.layers;
  }
}

BuildForecast ReadForecast(const BuildDocument& build) {
  BuildForecast forecast = {.same_layers = build.same_layers};
  int number = 0;
  for (const BuiltStep& step : build.steps) {
    ++number;
    if (step.state != "run") {
      continue;
    }
    StepForecast& row = forecast.steps.emplace_back();
    row.step = number;
    row.text = step.text;
    row.seconds = step.expected_seconds;
    row.bytes = step.expected_bytes;
    row.measured_seconds = step.seconds;
    row.measured_bytes = static_cast<double>(step.bytes);
  }
  return forecast;
}

}  // namespace lamina::backend
