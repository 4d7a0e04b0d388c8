// Turns a SandboxSpec into what the child works on. Everything that needs
// memory, a lock or the host's files is decided here, before the clone.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "runtime/init.h"
#include "runtime/sandbox.h"
#include "runtime/stubs.h"

namespace lamina::runtime {

// What is the same for every run of this process.
struct HostFeatures {
  bool user_namespace = false;  // We are not root.
  bool cgroup2 = false;
  OverlayFeatures overlay;
  std::vector<std::string> masked;
  std::vector<std::string> read_only;
};
HostFeatures ProbeHost();

// A run that is ready for its clone. Not movable: `plan` points into it.
struct PreparedRun {
  PreparedRun() = default;
  PreparedRun(const PreparedRun&) = delete;
  PreparedRun& operator=(const PreparedRun&) = delete;

  std::optional<StubFolder> stubs;
  std::vector<std::string> env;
  UniqueFd child_report;
  UniqueFd child_in;
  UniqueFd child_out;
  UniqueFd child_err;
  UniqueFd our_report;
  UniqueFd our_out;  // Only where the output goes to the sink.
  UniqueFd our_err;
  InitPlan plan;
};

absl::Status Prepare(const SandboxSpec& spec, const HostFeatures& host,
                     SeccompPrograms& programs, PreparedRun& run);

}  // namespace lamina::runtime
