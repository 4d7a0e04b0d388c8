// The supervisor while the command runs: carries its output and its terminal,
// hands cancellation on, and waits for the end of every process.
#pragma once

#include "absl/status/statusor.h"
#include "base/files.h"
#include "runtime/sandbox.h"

namespace lamina::runtime {

struct RunningSandbox {
  UniqueFd init;    // pidfd of pid 1.
  UniqueFd report;  // Our end of the channel.
  UniqueFd out;     // Read ends of the output pipes, where we made them.
  UniqueFd err;
};

// Answers when pid 1 is gone, and with it everything in its namespace.
absl::StatusOr<SandboxResult> Supervise(RunningSandbox sandbox,
                                        const SandboxSpec& spec,
                                        const OutputSink& on_output);

}  // namespace lamina::runtime
