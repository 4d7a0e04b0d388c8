// What the steps of a target will write, as far as it can be known without
// running anything: recorded diffs of cached steps, the files of the context,
// and what the same steps wrote in earlier builds (optimiser.md 7).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/plan.h"
#include "backend/plan_report.h"
#include "backend/step_trace.h"
#include "backend/store/store.h"

namespace lamina::backend {

struct PredictedDiffs {
  ChainDiffs chain;  // `layers` only of cached steps.
  // Of each step: bytes of its diff, and where the number comes from. Without a
  // mean nothing is known and its diff is empty.
  std::vector<Estimate> bytes;
  bool complete = true;  // Something is known of every step.
  std::optional<uint64_t> base_bytes;  // As DiffBytes; none: not in the store.
};

// `steps_of_nodes[i]` is the position in `plan.steps` of node i, or -1. Reads
// the store and lists the context; `store` may be null.
absl::StatusOr<PredictedDiffs> PredictDiffs(
    const Plan& plan, const TargetChain& chain,
    const std::vector<int>& steps_of_nodes, Store* store);

// Of steps that the target only copies from: what their layers, or those of
// their last run, have in the store. By position in `plan.steps`.
absl::StatusOr<std::vector<Estimate>> RecordedSizes(const Plan& plan,
                                                    Store* store);

// Bytes that a diff takes in a layer: contents, and 512 for each entry.
uint64_t DiffBytes(const ir::StepDiff& diff);

// For each node its position in `plan.steps`, or -1.
std::vector<int> StepsOfNodes(const Plan& plan);

}  // namespace lamina::backend
