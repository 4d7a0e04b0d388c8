// --build-context NAME=...: folders, images and what is elsewhere.
#pragma once

#include "absl/status/status.h"
#include "cli/build_flags.h"
#include "cli/command.h"
#include "cli/remote_access.h"

namespace lamina::cli {

// Fetches what has to be fetched, and loads images of OCI layouts into the
// store if `remote` has a network. Errors: no such folder, a kind that cannot
// be done, a failing fetch.
absl::Status ReadNamedContexts(const Invocation& invocation,
                               RemoteAccess& remote, BuildInput& input);

}  // namespace lamina::cli
