// Runs a program of this machine to its end: argv, never a shell.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lamina::backend {

struct ChildProcess {
  std::vector<std::string> args;  // args[0] is found along PATH.
  std::vector<std::string> env;   // The whole environment, NAME=value.
  int64_t most_seconds = 3600;
  size_t most_output = 16 << 20;  // Bytes of stdout; more is an error.
  const std::atomic<int>* cancel = nullptr;  // Not zero: stop.
};

struct ChildResult {
  int exit_code = 0;  // 128 + the signal that ended it.
  std::string output;
  std::string errors;  // The last 16 KiB.
};

// The child has its own process group, /dev/null as input and no descriptor of
// ours; it and what it started are killed at the end of time. Errors: NotFound
// (no such program), DeadlineExceeded, Cancelled.
absl::StatusOr<ChildResult> RunChild(const ChildProcess& process);

}  // namespace lamina::backend
