// The ignore file of a build context.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/diagnostic.h"
#include "base/source.h"
#include "ir/patterns.h"

namespace lamina::cli {

// A file of the user beside the build file, and what is wrong with it.
using FileMistakes = std::pair<SourceFile, Diagnostics>;

// Reads `named`, else <build file>.dockerignore, else the context's own file;
// without any nothing is ignored. Mistakes in it are added to `mistakes`.
absl::StatusOr<ir::IgnoreMatcher> FindIgnores(
    const std::string& named, const std::string& build_file,
    const std::string& folder, std::vector<FileMistakes>& mistakes);

}  // namespace lamina::cli
