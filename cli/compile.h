// The stages up to the plan, as build and plan run them.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "backend/plan.h"
#include "backend/remote/remote_sources.h"
#include "backend/store/store.h"
#include "cli/build_flags.h"
#include "frontend/lower.h"
#include "ir/optimise.h"

namespace lamina::cli {

// Text -> syntax -> graph -> plan. Prints the diagnostics on stderr; without a
// plan the user's text has errors. `emit` names a value to print instead.
struct Compiled {
  std::optional<backend::Plan> plan;
  // Before the passes, and what they did; only if `wants_written`.
  ir::BuildGraph written;
  std::vector<ir::Applied> applied;
  std::vector<frontend::UnreachedStep> unreached;
  bool emitted = false;  // --emit printed what was asked for; a plan is the
                         // caller's to print.
  int exit_code = 1;  // Without a plan: 1, or 3 when only the world is at fault.
  // Not printed yet when there is a plan and the form is SARIF: the log is one
  // document, written when the build has ended.
  Diagnostics diagnostics;
};

absl::StatusOr<Compiled> Compile(const BuildInput& input,
                                 const std::string& emit, backend::Store* store,
                                 backend::RemoteSources& remotes,
                                 bool wants_written = false);

}  // namespace lamina::cli
