// --secret and --ssh: what steps may see and nobody keeps.
#pragma once

#include "absl/status/status.h"
#include "cli/build_flags.h"
#include "cli/command.h"

namespace lamina::cli {

absl::Status ReadSecrets(const Invocation& invocation, BuildInput& input);

// Sockets of ssh agents, and key files: for those an agent is started, unless
// nothing will run. It ends with `input`.
absl::Status ReadAgents(const Invocation& invocation, bool runs,
                        BuildInput& input);

}  // namespace lamina::cli
