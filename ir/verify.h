// What must hold for every build graph, whoever made or rewrote it.
#pragma once

#include "absl/status/status.h"
#include "ir/graph.h"

namespace lamina::ir {

// Inputs stand before their users and are as many as the op asks for, paths
// are absolute, and history steps name nodes of their target's chain in order.
// Shares no code with the passes. The error names the node or the target.
absl::Status VerifyGraph(const BuildGraph& graph);

}  // namespace lamina::ir
