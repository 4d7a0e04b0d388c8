// What the flags of `run` mean.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/command.h"
#include "ir/image_config.h"
#include "runtime/sandbox.h"

namespace lamina::cli {

extern const absl::Span<const Flag> kRunFlags;

// Everything of the sandbox but its root: command, environment, mounts,
// streams. `command` replaces the image's Cmd unless it is empty. Errors are
// usage errors.
absl::StatusOr<runtime::SandboxSpec> MakeRunSpec(
    const Invocation& invocation, const ir::ImageConfig& config,
    const std::vector<std::string>& command);

// HOST:CONTAINER[:ro|:rw].
absl::StatusOr<runtime::SandboxMount> ReadVolume(absl::string_view text);

}  // namespace lamina::cli
