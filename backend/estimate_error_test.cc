#include "backend/estimate_error.h"

#include <gtest/gtest.h>

namespace lamina::backend {
namespace {

StepForecast Bytes(double low, double mean, double high, double measured) {
  return {.bytes = {.mean = mean, .low = low, .high = high},
          .measured_bytes = measured};
}

TEST(EstimateError, FiguresFollowTheirDefinitions) {
  // 100 predicted, 50 measured: 100 % off; 300 and 400: 25 %; 0 measured has no
  // percentage, but counts for the rest.
  const EstimateError error = MeasureEstimates(
      {{.steps = {Bytes(40, 100, 120, 50), Bytes(310, 300, 390, 400),
                  Bytes(0, 50, 60, 0)}}});
  EXPECT_EQ(error.bytes.count, 3);
  EXPECT_DOUBLE_EQ(*error.bytes.mape, 0.625);
  EXPECT_DOUBLE_EQ(*error.bytes.bias, 450.0 / 450 - 1);
  EXPECT_DOUBLE_EQ(*error.bytes.inside, 2.0 / 3);
  EXPECT_DOUBLE_EQ(*error.bytes.rank, 1.0);
  EXPECT_EQ(error.seconds.count, 0);
  EXPECT_FALSE(error.seconds.mape.has_value());
  EXPECT_FALSE(error.seconds.inside.has_value());
}

TEST(EstimateError, OnlyGuessesWithAMeasurementCount) {
  StepForecast exact = Bytes(10, 10, 10, 99);
  exact.bytes.exact = true;
  StepForecast unknown = Bytes(0, 0, 0, 5);
  unknown.bytes.mean.reset();
  StepForecast unmeasured = Bytes(1, 1, 1, 1);
  unmeasured.measured_bytes.reset();
  const EstimateError error = MeasureEstimates(
      {{.steps = {exact, unknown, unmeasured, Bytes(1, 2, 3, 2)}}});
  EXPECT_EQ(error.bytes.count, 1);
  EXPECT_DOUBLE_EQ(*error.bytes.mape, 0);
  EXPECT_FALSE(error.bytes.rank.has_value());
}

TEST(EstimateError, OnlyTheLastBuildsCount) {
  std::vector<BuildForecast> builds(5, {.steps = {Bytes(1, 100, 200, 1)}});
  builds.resize(5 + kForecastBuilds,
                {.steps = {Bytes(1, 1, 1, 1)}, .same_layers = true});
  builds.back().same_layers = false;
  const EstimateError error = MeasureEstimates(builds);
  EXPECT_EQ(error.builds, 20);
  EXPECT_DOUBLE_EQ(*error.bytes.mape, 0);
  EXPECT_EQ(error.layer_lists, 20);
  EXPECT_EQ(error.same_layer_lists, 19);
}

TEST(EstimateError, RanksWithTiesShareTheirMean) {
  EXPECT_DOUBLE_EQ(*RankCorrelation({1, 2, 3}, {30, 20, 10}), -1);
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
  EXPECT_NEAR(*RankCorrelation({1, 2, 2, 3}, {1, 2, 3, 4}), 0.9486833, 1e-6);
  EXPECT_FALSE(RankCorrelation({1, 1}, {1, 2}).has_value());
  EXPECT_FALSE(RankCorrelation({1}, {1}).has_value());
}

}  // namespace
}  // namespace lamina::backend
