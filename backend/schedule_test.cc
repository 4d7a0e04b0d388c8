#include "backend/schedule.h"

#include "gtest/gtest.h"

namespace lamina::backend {
namespace {

TEST(Schedule, StepsOnTheLongestWayAreTheMostUrgent) {
  Plan plan;
  plan.graph = *ir::ParseGraph(
      "n0 = scratch\n"
      "n1 = run n0 [\"quick\"] stage(\"a\")\n"
      "n2 = run n0 [\"new\"] stage(\"b\")\n"
      "n3 = run n2 [\"slow\"] stage(\"b\")\n"
      "n4 = run n0 [\"cached\"] stage(\"c\")\n"
      "n5 = copy n1 n3 [\"/x\"] \"/x\" stage(\"a\")\n"
      "n6 = copy n5 n4 [\"/y\"] \"/y\" stage(\"a\")\n"
      "target \"\" n6\n");
  for (uint32_t node = 1; node <= 6; ++node) {
    Step step;
    step.node = {node};
    plan.steps.push_back(std::move(step));
  }
  plan.steps[0].expected_seconds = 2;   // n1
  plan.steps[2].expected_seconds = 60;  // n3
  plan.steps[3].state = StepState::kCached;
  plan.steps[3].expected_seconds = 1000;  // n4
  std::vector<double> remaining = RemainingSeconds(plan);
  std::vector<double> expected = {2.2, 65.2, 60.2, 0.1, 0.2, 0.1};
  ASSERT_EQ(remaining.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(remaining[i], expected[i], 1e-9) << i;
  }
}

}  // namespace
}  // namespace lamina::backend
