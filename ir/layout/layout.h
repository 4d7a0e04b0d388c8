// Which steps or paths form which layer of an exported image, and why: the one
// entrance to the planners. A pure function of its arguments: same trace,
// options and lock, same layout, on every machine (integers only).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/layout/layer_lock.h"
#include "ir/layout/owners.h"
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

enum class Relayout {
  kAuto,   // Leave a lock's layout when it has cost more than it would cost
           // clients to fetch a new one.
  kNever,  // Only when it cannot be kept.
  kNow,
};

struct LayoutOptions {
  LayoutMode mode = LayoutMode::kChain;
  // Own layers at the most (K); 0 and less leave room for none. Without a
  // value the trace's budget, or no limit.
  std::optional<int> own_limit;
  CostWeights weights;
  // kPartition only if true: no other exported target builds on this one. The
  // cheapest of lock, partition and chain is taken (optimiser.md 6.3). Cut
  // rules speak of steps: a trace that has some is always laid out as a chain.
  bool leaf = true;
  bool keep_empty = false;  // kVerbatim: steps without effect count as layers.
  // Reads package data bases of the final tree, for kPartition; may be null.
  ReadText read_text;
  // Keys of segments that clients have already (LayoutLayer::key); they matter
  // if weights.rho is not 0. Without a value no keys are made.
  std::optional<std::vector<std::string>> published;
  Relayout relayout = Relayout::kAuto;
  // Over half of the base's bytes differ from those below the lock's layers:
  // clients fetch everything anyway.
  bool base_replaced = false;
  // What the lock shall say; see LayerLock.
  std::string target, base, writer;
  std::string epochs_source;  // Where the trace's epochs came from.
};

// Why a layer does not end after a step, first match (optimiser.md 7).
enum class MergeReason {
  kEmpty,
  kPragma,
  kBudget,
  kLock,  // A cut would be cheaper, but the lock has none there.
  kMetadata,
  kDeadBytes,
  kSameChange,
  kTooSmall,
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
  std::string key;  // Chain: of the net diff, equal in any build; empty
                    // without LayoutOptions::published.
};

struct LayoutMerge {  // No layer ends after step `step`.
  int step = 0;
  MergeReason reason = MergeReason::kTooSmall;
  // What a cut here would add, in bytes; each may be negative.
  int64_t stored = 0;
  int64_t update = 0;  // Per update.
  int64_t cost = 0;    // All in all (optimiser.md 5.4).
  // kMetadata, kDeadBytes: the step that makes most of the bytes dead.
  int guilty = 0;
};

struct LayoutCut {  // A layer ends after step `step`, and the next one begins.
  int step = 0;
  std::string forced;       // Who forced it; empty: the planner's choice.
  int64_t saves = 0;        // Bytes of cost; negative for a forced one.
  uint64_t dead_bytes = 0;  // That the cut keeps though the next layer hides
                            // them,
  int guilty = 0;           // and the step that makes most of them dead.
};

struct CurvePoint {  // The best layout of exactly `layers` layers.
  int layers = 0;
  int64_t cost = 0;     // Bytes.
  uint64_t stored = 0;  // Bytes.
  uint64_t update = 0;  // Bytes per update.
};

struct Layout {
  LayoutMode mode = LayoutMode::kChain;
  std::vector<LayoutLayer> layers;  // Bottom to top; none with Z = 0.
  std::vector<LayoutMerge> merges;
  std::vector<LayoutCut> cuts;
  std::vector<CurvePoint> curve;  // Of the chain programme; forced cuts hold.
  int knee = 0;                   // Layers; 0 without a curve.
  int64_t next_layer_saves = 0;   // Cost in bytes, were one more layer allowed.
  int64_t total_weight = 1;       // W
  uint64_t stored = 0;            // Bytes of all layers,
  uint64_t update = 0;            // and per update,
  uint64_t verbatim_stored = 0;   // beside one layer a step.
  uint64_t verbatim_update = 0;
  std::string epochs_source;  // Where the change weights came from: the
                              // caller's text, for the plan.
  // The lock that the next build should be given; none in kVerbatim, kOne. The
  // one given, if this build changed nothing.
  std::optional<LayerLock> lock;
  // What became of the lock given: "kept", "switched: ...", "not followed:
  // ..."; empty if there was none.
  std::string lock_note;
};

// What stands in the way of a layout within the limit, and the cheapest way
// out (optimiser.md 2). Without merges there is none.
struct LimitProblem {
  int needed = 0;  // Layers.
  int limit = 0;
  // Cheapest set that would fit: places where kVerbatim, or a layout of all
  // forced cuts, ends a layer and this one does not.
  std::vector<LayoutMerge> merges;
  std::vector<CutRule> dropped;  // Forced cuts that it drops.
  int64_t stored_change = 0;     // Bytes; usually negative.
  int64_t update_change = 0;     // Bytes per update.
};

struct LayoutResult {
  std::optional<Layout> layout;  // Exactly one of the two.
  std::optional<LimitProblem> problem;
};

// Errors: a lock that cannot be followed is none (see CheckLock and
// Layout::lock_note); a trace that contradicts itself is.
absl::StatusOr<LayoutResult> PlanLayout(const Trace& trace,
                                        const LayoutOptions& options,
                                        const LayerLock* lock);

}  // namespace lamina::ir
