// From the layers that steps left to the layers of an image: the layout is
// chosen here, after everything ran, and never changes the tree or a cache
// entry (optimiser.md 1).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer_writer.h"
#include "backend/plan.h"
#include "backend/step_trace.h"
#include "backend/store/store.h"
#include "ir/layout/layout.h"
#include "ir/layout/tree_digest.h"

namespace lamina::backend {

struct ExportPolicy {
  ir::LayoutMode mode = ir::LayoutMode::kChain;
  // A step that changed nothing gets an empty layer, as docker makes it.
  bool keep_empty = false;
  int max_layers = 120;  // Base and own together; 0: no limit.
  std::string limit_name = "portable";
  int head_room = 0;     // Layers left free for images built on this one.
  // Change weights and cut rules, in steps of the target's chain.
  std::vector<ir::Epoch> epochs;
  std::string epochs_source;
  std::vector<ir::CutRule> cuts;
  std::optional<ir::LayerLock> lock;
  ir::Relayout relayout = ir::Relayout::kAuto;
  // What the lock of this build shall say of itself.
  std::string target, base, writer;
  std::vector<std::string> published;  // Keys of the last image's segments.
};

// The question to the planner, but for `read_text`.
ir::LayoutOptions MakeLayoutOptions(const ExportPolicy& policy,
                                    size_t base_layers);

struct OwnLayer {
  LayerId id = 0;
  // The step of the chain, from 1, whose history entry has this layer; 0: the
  // layer is made of parts of several steps and gets an entry of its own.
  int step = 0;
  // Steps whose changes it holds; zeros where it is made of parts.
  int first = 0;
  int last = 0;
};

struct ExportedLayers {
  std::vector<OwnLayer> own;  // Bottom to top.
  std::optional<ir::Layout> layout;       // None for one layer a step.
  std::optional<ir::LimitProblem> problem;  // Then `own` is empty.
  // What the written layers fold to was not what the steps made: `own` is then
  // one layer a step.
  std::vector<ir::TreeDifference> mismatch;
  std::string tree_digest;  // Of the final tree; empty if nothing was merged.
};

// Steps of a chain with the layer each of them left.
struct FinishedChain {
  std::vector<LayerId> base_layers;
  std::vector<std::optional<LayerId>> layers;
  std::vector<std::string> texts;  // Instructions: what a layer lock names.
};

// Own layers at the most; negative or zero when the base takes them all.
int OwnLimit(const ExportPolicy& policy, size_t base_layers);

// Reads diffs, writes the layers that are not in the store yet and verifies
// them (optimiser.md 8). `options.tee` must be free.
absl::StatusOr<ExportedLayers> ExportLayers(const FinishedChain& chain,
                                            const ExportPolicy& policy,
                                            const LayerWriterOptions& options,
                                            Store& store);

}  // namespace lamina::backend
