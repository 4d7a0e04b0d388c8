// From the recorded diffs of a target's steps to the trace that the layout
// planners read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/plan.h"
#include "backend/store/store.h"
#include "ir/graph.h"
#include "ir/layout/trace.h"
#include "ir/layout/tree.h"

namespace lamina::backend {

// The nodes whose diffs, one on top of the other, are a target's file system.
struct TargetChain {
  ir::NodeId base;                 // BaseImage or Scratch.
  std::vector<ir::NodeId> steps;   // From the base upwards.
};
TargetChain FindChain(const ir::BuildGraph& graph, const ir::Target& target);

// What the steps of a chain wrote, bottom to top.
struct ChainDiffs {
  std::vector<LayerId> base_layers;
  ir::Tree base;
  std::vector<std::optional<LayerId>> layers;  // Of each step.
  std::vector<ir::StepDiff> diffs;             // Empty without a layer.
};

// Reads them from the store. Where two states of a path have equal size and
// the bytes of one are not known by digest yet, they are read and hashed, so
// that a state that came back is seen as equal. With `all_digests` every file
// of the steps is.
absl::StatusOr<ChainDiffs> ReadChainDiffs(
    const std::vector<LayerId>& base_layers,
    const std::vector<std::optional<LayerId>>& layers, bool all_digests,
    Store& store);

// Events of each step, and the states of the base that they touch or uncover.
// Fills nothing but `base` and `steps[].events`.
ir::Trace MakeTrace(const ChainDiffs& chain);

// Kind, line and text of each step, for the reader of a trace.
void DescribeSteps(const ir::BuildGraph& graph, const TargetChain& chain,
                   const SourceFile& source, ir::Trace& trace);

}  // namespace lamina::backend
