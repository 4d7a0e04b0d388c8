// Which files of a folder are no part of the context (dockerfile.md 13.1).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "ir/patterns.h"

namespace lamina::cli {

// The patterns of the file `named`, else of BUILD_FILE.dockerignore (if there
// is a build file), else of the folder's own ignore file, else none.
absl::StatusOr<ir::IgnoreMatcher> FindIgnores(const std::string& named,
                                              const std::string& build_file,
                                              const std::string& folder);

}  // namespace lamina::cli
