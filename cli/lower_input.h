// Syntax -> graph, with what the command line and the store say, and with the
// rules of lint. Shared by build, plan, explain and build --check.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "backend/store/store.h"
#include "base/diagnostic.h"
#include "cli/build_flags.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"
#include "ir/graph.h"

namespace lamina::cli {

struct LoweredInput {
  frontend::BuildOptions options;  // As the front end took them.
  std::optional<int64_t> epoch;    // Seconds; see frontend::FindEpoch.
  frontend::BaseImages bases;
  ir::BuildGraph graph;  // Means something only if no error was reported.
};

// `may_have_unknown_bases`: an image that the store does not have is no error.
absl::StatusOr<LoweredInput> LowerInput(const grammar::DockerfileSyntax& syntax,
                                        const BuildInput& input,
                                        bool may_have_unknown_bases,
                                        backend::Store* store,
                                        Diagnostics& diagnostics);

}  // namespace lamina::cli
