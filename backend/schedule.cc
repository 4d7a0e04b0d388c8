#include "backend/schedule.h"

#include <algorithm>
#include <cstddef>

namespace lamina::backend {
namespace {

double ExpectedSeconds(const Plan& plan, const Step& step) {
  constexpr double kCommand = 5;
  constexpr double kCopy = 0.1;
  if (step.state == StepState::kCached) {
    return 0;
  }
  bool runs =
      std::holds_alternative<ir::Run>(plan.graph.nodes[step.node].op);
  return step.expected_seconds.value_or(runs ? kCommand : kCopy);
}

}  // namespace

std::vector<double> RemainingSeconds(const Plan& plan) {
  std::vector<double> after(plan.graph.nodes.size());  // By node.
  std::vector<double> remaining(plan.steps.size());
  // Users stand behind their inputs, so one backward sweep meets them first.
  for (size_t i = plan.steps.size(); i-- > 0;) {
    const Step& step = plan.steps[i];
    remaining[i] = after[step.node.index] + ExpectedSeconds(plan, step);
    for (ir::NodeId input : plan.graph.nodes[step.node].inputs) {
      after[input.index] = std::max(after[input.index], remaining[i]);
    }
  }
  return remaining;
}

}  // namespace lamina::backend
