// The base images of a build, as the store has them.
#pragma once

#include "absl/status/statusor.h"
#include "backend/store/store.h"
#include "base/diagnostic.h"
#include "cli/build_flags.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::cli {

// Looks up every image that the build reaches; `store` may be null. One that is
// not there is an error, or stays unknown when `may_be_unknown`: then there is
// only a warning if its name is near to a stage's.
absl::StatusOr<frontend::BaseImages> FindBaseImages(
    const grammar::DockerfileSyntax& syntax, const BuildInput& input,
    const frontend::BuildOptions& options, bool may_be_unknown,
    backend::Store* store, Diagnostics& diagnostics);

}  // namespace lamina::cli
