// lamina build --check: the rules of lint on every stage, and no build.
#pragma once

#include "absl/status/statusor.h"
#include "backend/store/store.h"
#include "cli/build_flags.h"

namespace lamina::cli {

// Prints mistakes and findings on standard output. The exit code is 1 if there
// is one. `store` may be null: what bases say is then not known.
absl::StatusOr<int> CheckBuildFile(BuildInput input, backend::Store* store);

}  // namespace lamina::cli
