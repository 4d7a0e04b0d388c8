// -O, --pass and --verify-passes.
#pragma once

#include "absl/status/statusor.h"
#include "cli/command.h"
#include "ir/optimise.h"

namespace lamina::cli {

// Errors are usage errors; an unknown pass is answered with what is near.
absl::StatusOr<ir::OptimiseOptions> ReadOptimiseOptions(
    const Invocation& invocation);

}  // namespace lamina::cli
