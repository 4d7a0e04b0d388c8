// Commands that run in one sandbox and are one step for the cache.
#pragma once

#include <cstddef>
#include <vector>

#include "backend/plan.h"

namespace lamina::backend {

// For nodes that are no step.
inline constexpr size_t kNoStep = static_cast<size_t>(-1);

// The step at `first` of the plan and those that may join it and have to run
// as well. `step_of_node` is the position of each node's step.
std::vector<size_t> JoinedSteps(const Plan& plan,
                                const std::vector<size_t>& step_of_node,
                                size_t first);

// The keys of such a group: each names the steps before it. Gives all of them
// the results of commands that are never made on their own.
std::vector<Digest> NameUnmade(const Plan& plan,
                               const std::vector<size_t>& group,
                               std::vector<NodeResult>& results);

}  // namespace lamina::backend
