// --error-format: how diagnostics are printed.
#pragma once

#include "absl/status/statusor.h"
#include "base/diagnostic.h"
#include "cli/command.h"

namespace lamina::cli {

inline constexpr Flag kErrorFormatFlag = {
    .name = "error-format",
    .value = "human|short|json|sarif",
    .help = "form of the diagnostics",
    .default_value = "human",
    .group = "Output",
};

// What that flag and the terminal ask for.
absl::StatusOr<RenderOptions> ReadRenderOptions(const Invocation& invocation);

}  // namespace lamina::cli
