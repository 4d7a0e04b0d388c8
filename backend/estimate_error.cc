#include "backend/estimate_error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lamina::backend {
namespace {

struct Pair {
  Estimate predicted;  // With a mean.
  double measured = 0;
};

EstimateFigures FiguresOf(const std::vector<Pair>& pairs) {
  EstimateFigures figures = {.count = static_cast<int>(pairs.size())};
  double relative = 0, predicted_sum = 0, measured_sum = 0;
  int above_zero = 0, inside = 0;
  std::vector<double> predictions, measurements;
  for (const Pair& pair : pairs) {
    const double predicted = *pair.predicted.mean;
    if (pair.measured > 0) {
      relative += std::abs(predicted - pair.measured) / pair.measured;
      ++above_zero;
    }
    predicted_sum += predicted;
    measured_sum += pair.measured;
    inside += pair.measured >= pair.predicted.low &&
                      pair.measured <= pair.predicted.high
                  ? 1
                  : 0;
    predictions.push_back(predicted);
    measurements.push_back(pair.measured);
  }
  if (above_zero > 0) {
    figures.mape = relative / above_zero;
  }
  if (measured_sum > 0) {
    figures.bias = predicted_sum / measured_sum - 1;
  }
  if (!pairs.empty()) {
    figures.inside = static_cast<double>(inside) / pairs.size();
  }
  figures.rank = RankCorrelation(predictions, measurements);
  return figures;
}

void AddPair(const Estimate& predicted, const std::optional<double>& measured,
             std::vector<Pair>& pairs) {
  if (predicted.mean.has_value() && !predicted.exact && measured.has_value()) {
    pairs.push_back({predicted, *measured});
  }
}

// Ranks from 1; equal values share the mean of their places.
std::vector<double> RanksOf(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&values](size_t a, size_t b) {
    return values[a] < values[b];
  });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) {
      ++end;
    }
    for (size_t i = begin; i < end; ++i) {
      ranks[order[i]] = (static_cast<double>(begin + end) + 1) / 2;
    }
    begin = end;
  }
  return ranks;
}

}  // namespace

EstimateError MeasureEstimates(const std::vector<BuildForecast>& builds) {
  EstimateError error;
  std::vector<Pair> bytes, seconds;
  const size_t first = builds.size() - std::min(builds.size(), kForecastBuilds);
  for (size_t i = first; i < builds.size(); ++i) {
    ++error.builds;
    for (const StepForecast& step : builds[i].steps) {
      AddPair(step.bytes, step.measured_bytes, bytes);
      AddPair(step.seconds, step.measured_seconds, seconds);
    }
    if (builds[i].same_layers.has_value()) {
      ++error.layer_lists;
      error.same_layer_lists += *builds[i].same_layers ? 1 : 0;
    }
  }
  error.bytes = FiguresOf(bytes);
  error.seconds = FiguresOf(seconds);
  return error;
}

// Pearson's correlation of the ranks, which holds with ties too.
std::optional<double> RankCorrelation(const std::vector<double>& a,
                                      const std::vector<double>& b) {
  const size_t count = std::min(a.size(), b.size());
  if (count < 2) {
    return std::nullopt;
  }
  const std::vector<double> x = RanksOf(a);
  const std::vector<double> y = RanksOf(b);
  const double mean = (static_cast<double>(count) + 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < count; ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  if (xx == 0 || yy == 0) {
    return std::nullopt;
  }
  return xy / std::sqrt(xx * yy);
}

}  // namespace lamina::backend
