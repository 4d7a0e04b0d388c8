// Which steps or paths form which layer of an exported image, and why: the one
// entrance to the planners. A pure function of its arguments: same trace,
// options and lock, same layout, on every machine (integers only).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/layout/layer_lock.h"
#include "ir/layout/trace.h"

namespace lamina::ir {

// Thousandths, but gamma in bytes (optimiser.md 5.4).
struct CostWeights {
  int64_t alpha = 250;    // First pulls per update pull.
  int64_t beta = 1000;    // Update pulls.
  int64_t gamma = 65536;  // Bytes that one more layer is worth.
  int64_t delta = 50;     // Storage.
  int64_t rho = 0;        // A segment that is not published yet.
};

enum class LayoutMode {
  kVerbatim,   // One layer a step, empty ones dropped or kept by the caller.
  kChain,      // Neighbouring steps share a layer; every prefix is real.
  kPartition,  // Paths of the final tree, freely assigned.
  kOne,        // All own steps in one layer.
};

struct LayoutOptions {
  LayoutMode mode = LayoutMode::kChain;
  int own_limit = 0;  // Own layers at the most (K); the trace's budget if 0.
  CostWeights weights;
  // kPartition only if true: no other exported target builds on this one. The
  // cheapest of lock, partition and chain is taken (optimiser.md 6.3).
  bool leaf = true;
};

// Why a layer does not end after a step, first match (optimiser.md 7).
enum class MergeReason {
  kEmpty, kPragma, kBudget, kMetadata, kDeadBytes, kSameChange, kTooSmall,
};
absl::string_view MergeReasonName(MergeReason reason);  // "dead-bytes"

// One layer. Chain modes: the net diff of steps first..last. Partition: the
// final state of `paths`, whiteouts of base paths included.
struct LayoutLayer {
  int first = 0;  // Steps, from 1. Partition: the first and last step that
  int last = 0;   // wrote one of the paths.
  std::vector<std::string> paths;  // Partition only; in entry order.
  std::vector<std::string> atoms;  // Partition only.
  std::string role;                // Partition only; see LayerLock.
  uint64_t bytes = 0;              // Z: entries with 512 bytes each.
  uint64_t dead_bytes = 0;         // Of them, what later layers hide.
  int64_t changed = 0;             // Q, of total_weight.
};

struct LayoutMerge {  // No layer ends after step `step`.
  int step = 0;
  MergeReason reason = MergeReason::kTooSmall;
  // What a cut here would cost more, bytes: storage and pulls per update.
  int64_t stored = 0;
  int64_t cost = 0;
};

struct LayoutCut {  // A layer ends after step `step`, and the next one begins.
  int step = 0;
  std::string forced;       // Who forced it; empty: the planner's choice.
  int64_t saves = 0;        // Bytes of cost; negative for a forced one.
  uint64_t dead_bytes = 0;  // That the cut keeps.
};

struct CurvePoint {  // The best layout of exactly `layers` layers.
  int layers = 0;
  int64_t cost = 0;      // Bytes.
  uint64_t stored = 0;   // Bytes.
  uint64_t update = 0;   // Bytes per update.
};

struct Layout {
  LayoutMode mode = LayoutMode::kChain;
  std::vector<LayoutLayer> layers;  // Bottom to top; none with Z = 0.
  std::vector<LayoutMerge> merges;
  std::vector<LayoutCut> cuts;
  std::vector<CurvePoint> curve;  // Of the chain programme; forced cuts hold.
  int knee = 0;                   // Layers; 0 without a curve.
  int64_t total_weight = 1;       // W
  uint64_t stored = 0;            // Bytes of all layers,
  uint64_t update = 0;            // and per update,
  uint64_t verbatim_stored = 0;   // beside one layer a step.
  uint64_t verbatim_update = 0;
  std::string epochs_source;  // Where the change weights came from: the
                              // caller's text, for the plan.
  // The lock that the next build should be given; none in kVerbatim, kOne.
  std::optional<LayerLock> lock;
};

// What stands in the way of a layout within the limit, and the cheapest way
// out (optimiser.md 2).
struct LimitProblem {
  int needed = 0;  // Layers.
  int limit = 0;
  std::vector<LayoutMerge> merges;       // Cheapest set that would fit.
  std::vector<CutRule> dropped;          // Forced cuts that it drops.
  int64_t stored_change = 0;             // Bytes; usually negative.
  int64_t update_change = 0;             // Bytes per update.
};

struct LayoutResult {
  std::optional<Layout> layout;         // Exactly one of the two.
  std::optional<LimitProblem> problem;
};

// Errors: a lock of another base, mode or writer that cannot be followed is
// not an error here (see CheckLock); a trace that contradicts itself is.
absl::StatusOr<LayoutResult> PlanLayout(const Trace& trace,
                                        const LayoutOptions& options,
                                        const LayerLock* lock);

}  // namespace lamina::ir
