// Plan -> image. Nothing is decided here, only carried out.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/build_event.h"
#include "backend/build_record.h"
#include "backend/export_layers.h"
#include "backend/layer_writer.h"
#include "backend/plan.h"
#include "backend/run_mounts.h"
#include "backend/store/store.h"
#include "ir/image_reference.h"
#include "runtime/sandbox.h"

namespace lamina::backend {

struct ExecuteOptions {
  LayerWriterOptions layers;
  std::vector<ir::ImageReference> tags;
  int64_t now = 0;  // Seconds since the epoch.
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name, IP
  std::string hostname = "buildkitsandbox";
  RunResources resources;
  int jobs = 1;  // Steps at once, at most.
  ExportPolicy exports;
  // Set to a signal number by a signal handler: the build stops.
  const std::atomic<int>* cancel = nullptr;
};

// A step that failed: its command, or what the build file asks of it cannot be
// done. Not a Status: it is the user's to mend, and what was built before it
// stays cached.
struct StepFailure {
  ir::NodeId node;
  // From 1. Steps before this one stay cached: of commands in one sandbox it
  // is the first.
  int step_number = 0;
  runtime::SandboxResult result;
  std::string last_output;  // At most 50 lines.
  std::string message;      // Not empty: why no command could run.
};

struct BuildResult {
  std::optional<Image> image;  // None after a failure or a limit problem.
  ExportedLayers exported;
  FinishedChain chain;  // Of the target; only after success.
  std::optional<StepFailure> failure;
  int steps_run = 0;
  int steps_cached = 0;
  std::vector<BuiltStep> steps;  // Of each step of the plan.
  double seconds = 0;            // All steps and the image.
  // What a later build needs to find every step cached. Only after success.
  std::vector<StepRecord> records;
};

// Steps of stages that do not need each other run at the same time. After a
// failure no further step is started; those that run are finished, and cached.
// `events` is called by one thread at a time.
absl::StatusOr<BuildResult> Execute(const Plan& plan, Store& store,
                                    runtime::Sandbox& sandbox,
                                    const ExecuteOptions& options,
                                    const BuildEvents& events);

}  // namespace lamina::backend
