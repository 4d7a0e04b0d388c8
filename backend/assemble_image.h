// From finished steps to an image: diff ids, history, configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/export_layers.h"
#include "backend/plan.h"
#include "backend/store/store.h"
#include "ir/graph.h"

namespace lamina::backend {

struct ExecuteOptions;

// What a step left, by node.
struct MadeStep {
  std::optional<LayerId> layer;
  int64_t created = 0;  // Seconds since the epoch.
};

struct AssembledImage {
  std::optional<Image> image;  // None when there is a limit problem.
  ExportedLayers exported;
  FinishedChain chain;  // Of the target.
};

// Chooses the layers, makes the tars that are still missing, aligns the history
// with the layers (layers-and-archives.md 4.3) and publishes the image under
// its tags.
absl::StatusOr<AssembledImage> AssembleImage(
    const Plan& plan, const ir::Target& target,
    const std::vector<NodeResult>& results, const std::vector<MadeStep>& made,
    Store& store, const ExecuteOptions& options);

}  // namespace lamina::backend
