// Remembers which layers were made for a chain of steps, so that a build that
// finds every step cached neither reads diffs nor plans anew.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "backend/export_layers.h"
#include "backend/store/store.h"

namespace lamina::backend {

// Names the question: the layers of base and steps, limits, weights, rules. The
// same question always has the same answer.
absl::StatusOr<Digest> LayoutQuestion(const FinishedChain& chain,
                                      const ExportPolicy& policy,
                                      Store& store);

// The answer, if all its layers are still in the store. Has neither a layout
// nor a difference.
absl::StatusOr<std::optional<ExportedLayers>> FindAnswer(const Digest& question,
                                                         Store& store);
absl::Status KeepAnswer(const Digest& question, const ExportedLayers& answer,
                        Store& store);

}  // namespace lamina::backend
