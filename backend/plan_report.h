// All that the dry run tells, as one value: what every form of `lamina plan`
// prints, and what a build writes down about itself. Made from a plan and the
// layout that is expected for it; holds no references.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/estimate.h"
#include "ir/layout/layout.h"

namespace lamina::backend {

enum class ReportState { kCached, kRun, kSkipped };

struct ReportStep {
  int number = 0;           // From 1 in the plan; skipped steps have 0.
  std::string kind;         // "run", "copy", "add", "workdir".
  std::string stage;
  std::string text;         // The instruction, first line.
  std::string file;
  int line = 0, column = 0;          // Where it begins in `file`,
  int end_line = 0, end_column = 0;  // and ends. From 1.
  std::vector<std::string> details;  // "cache /go/pkg/mod", "no network"
  std::vector<int> inputs;  // Numbers of steps; inputs[0] is the tree below,
                            // unless `on_base`.
  std::vector<std::string> input_labels;  // Beside `inputs`: what is read,
                                          // "/out/app". May be shorter.
  std::vector<std::string> base_inputs;  // Bases and contexts, by name.
  bool on_base = false;     // The tree below is base_inputs[0]; so it is, too,
                            // when there are no `inputs`.
  ReportState state = ReportState::kRun;
  std::string reason_code;  // "parent-changed", "input-changed", "no-cache", ...
  std::string reason;       // In the user's words, down to the file.
  int reason_step = 0;      // The step that is to blame; 0: none.
  std::string key;          // "sha256:..."; empty while unknown.
  std::string op_key;       // What the key was made of: the operation
  std::vector<std::string> input_keys;  // and its inputs.
  Estimate seconds;
  Estimate bytes;           // Of the step's own diff.
  int layer = -1;           // Position in `layers`; -1: none in this target.
  bool fused = false;       // Shares the sandbox of the step before.
  std::vector<std::string> network;  // Why it may reach the network.
  int became = 0;           // In PlanReport::before: the step of
                            // PlanReport::steps that does its work; 0: none, a
                            // pass dropped it.
};

struct ReportStage {        // In the order of the build file.
  std::string name;
  std::string base;         // "golang:1.22@sha256:...", or a stage's name.
  std::string base_state;   // "cached", "pull", "unknown"; empty: a stage.
};

struct ReportLayer {
  std::vector<int> steps;   // Numbers.
  std::string instruction;  // "1 RUN apt-get ...", or the largest atoms.
  Estimate bytes;
  uint64_t dead_bytes = 0;
  double changed = 0;       // Share of updates that replace it, 0 to 1.
  std::string why;
};

struct ReportDecision {     // A place between two steps of the target's chain.
  int after = 0;            // Number of the step before it.
  int before = 0;           // And of the one after it.
  bool cut = false;         // A layer ends here.
  std::string reason;       // "dead-bytes", "forced", ...
  std::string text;         // "a cut would store 50.0 MiB that step 4 deletes"
  int64_t saves_bytes = 0;  // Stored bytes saved by the merge, or cost by the
                            // cut.
};

struct ReportRewrite {
  std::string pass;
  std::vector<int> steps;
  std::string text;
  std::string proof;        // The rule that allows it: "adjacent-diffs".
  int64_t saves_bytes = 0;
};

struct RuntimeFit {
  std::string runtime;  // "docker", "podman", "containerd", ...
  int limit = 0;        // Layers.
  bool fits = true;
  std::string note;
};

struct TimelineRow {        // Of the last real build.
  int step = 0;             // Number in this report; 0: no longer in it.
  std::string stage, text;
  std::string state;        // "cached", "run", "failed", "not reached".
  double start = 0;         // Seconds since the build began.
  double seconds = 0;
};

struct WasteRow {
  int step = 0;             // That wrote the bytes.
  int guilty = 0;           // That made them dead.
  std::string cause;        // "overwritten", "deleted", "metadata".
  uint64_t bytes = 0;
  std::string advice;       // What to write instead.
};

struct PlanReport {
  std::string file;             // The build file, as the user named it.
  std::string digest;           // Of its bytes.
  std::string platform;
  std::string level;            // "O1"
  std::string target;
  std::string lock;             // "ok", "none", "new", or what is wrong.
  std::vector<std::string> unknown;  // Bases and sources that are not here.
  std::vector<ReportStage> stages;
  std::vector<ReportStep> steps;     // In the order of execution, then skipped
                                     // ones.
  std::vector<ReportStep> before;    // The graph as written, unoptimised, with
                                     // numbers and layers of its own: one
                                     // layer a step of the target's chain.
  std::vector<ReportLayer> layers;   // Own layers, bottom to top.
  std::vector<ReportDecision> decisions;
  std::vector<ReportRewrite> rewrites;
  // Why the image would have more layers than the limit, in the words of the
  // error that a build ends with; empty: it fits.
  std::string too_many_layers;
  std::vector<ir::CurvePoint> curve;
  int knee = 0;
  int chosen_layers = 0;
  std::string epochs_source;    // Where the change weights came from.
  int verbatim_layers = 0;      // Own layers of the image as written.
  int base_layers = 0;
  std::optional<uint64_t> base_bytes;
  int limit = 0;                // Base and own; 0 is none.
  std::string limit_name;       // "portable", "docker", "30", "none"
  std::vector<RuntimeFit> fits;
  // False: of some steps nothing is known, the sums below leave them out.
  bool sizes_known = true;
  uint64_t stored = 0, verbatim_stored = 0;  // Bytes of own layers,
  uint64_t update = 0, verbatim_update = 0;  // and per update.
  std::vector<WasteRow> waste;
  int run = 0, cached = 0, skipped = 0;
  int jobs = 0;                 // Workers; 0 is unknown.
  Estimate seconds;             // Of the whole build, with `jobs` workers.
  std::vector<int> critical_path;  // Numbers.
  bool pulls = false;           // Bases or downloads are fetched.
  bool network = false;         // Some RUN may use the network.
  std::vector<TimelineRow> timeline;  // Empty: never built here.
  std::string timeline_build;         // When that was, RFC 3339.
};

}  // namespace lamina::backend
