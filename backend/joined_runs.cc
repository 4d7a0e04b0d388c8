#include "backend/joined_runs.h"

#include <cstdint>

namespace lamina::backend {

std::vector<size_t> JoinedSteps(const Plan& plan,
                                const std::vector<size_t>& step_of_node,
                                size_t first) {
  std::vector<size_t> group = {first};
  ir::NodeId last = plan.steps[first].node;
  for (uint32_t index = last.index + 1; index < step_of_node.size(); ++index) {
    const ir::Node& node = plan.graph.nodes[ir::NodeId{index}];
    size_t step = step_of_node[index];
    if (node.same_sandbox && node.inputs[0] == last && step != kNoStep &&
        !plan.steps[step].record.has_value()) {
      last = {index};
      group.push_back(step);
    }
  }
  return group;
}

std::vector<Digest> NameUnmade(const Plan& plan,
                               const std::vector<size_t>& group,
                               std::vector<NodeResult>& results) {
  std::vector<Digest> keys;
  for (size_t step : group) {
    ir::NodeId id = plan.steps[step].node;
    const ir::Node& node = plan.graph.nodes[id];
    keys.push_back(StepKey(node, results, {}, plan.options));
    results[id.index] =
        UnmadeResult(results[node.inputs[0].index], keys.back());
  }
  return keys;
}

}  // namespace lamina::backend
