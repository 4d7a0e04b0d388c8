// What a finished build writes down about itself: for the change weights and
// the estimates of later builds, for timelines and the error of estimates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backend/estimate.h"

namespace lamina::backend {

struct BuiltStep {
  std::string stage;
  std::string text;   // The instruction.
  std::string state;  // "cached", "run", "failed", "not reached".
  std::string diff;   // Equal exactly when the step left the same layer; empty
                      // when it left none.
  double start = 0;    // Seconds since the build began.
  double seconds = 0;  // How long it ran; of a cached one 0.
  int64_t bytes = 0;   // Of its diff.
  bool own = false;    // Part of the target's chain.
  Estimate expected_seconds, expected_bytes;  // What the plan expected.
};

struct BuiltLayer {
  std::string chain;   // Names the layer in the store.
  int first = 0;       // Steps of the target's chain, from 1.
  int last = 0;
  int64_t bytes = 0;   // Of the tar.
  std::string key;     // LayoutLayer::key; may be empty.
};

struct BuildDocument {
  std::string level;    // "O1"
  std::string image;    // "sha256:..."
  double seconds = 0;   // Of the whole build.
  std::vector<BuiltStep> steps;    // In the order of the plan.
  std::vector<BuiltLayer> layers;  // Own layers, bottom to top.
  // Whether the plan predicted these layers, where it predicted some.
  std::optional<bool> same_layers;
};

// Canonical JSON, "version": 1. A document of another version or one that is
// damaged is an error; the caller leaves such a build out.
std::string PrintBuildDocument(const BuildDocument& document);
absl::StatusOr<BuildDocument> ParseBuildDocument(absl::string_view text);

}  // namespace lamina::backend
