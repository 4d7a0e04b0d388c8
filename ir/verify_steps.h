// The rules of verify_rewrites.h about single COPYs and RUNs. Shares no code
// with the passes.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "ir/graph.h"
#include "ir/pass.h"

namespace lamina::ir {

absl::Status CheckOverwritten(const BuildGraph& graph, const Witness& witness);
absl::Status CheckSetsMetadata(const BuildGraph& graph, const Witness& witness);
absl::Status CheckSameSandbox(const BuildGraph& graph, NodeId node,
                              NodeId parent);

// Puts mode and owner of the copy `node` into `expected`, if they do the same
// as `commands`, in their order, after the copy `expected`.
absl::Status TakeMetadata(const std::vector<Run>& commands, const Node& node,
                          Node& expected);

}  // namespace lamina::ir
