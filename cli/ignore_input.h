// Which files of a folder are no part of the context (dockerfile.md 13.1).
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

// The patterns of the file `named`, else of BUILD_FILE.dockerignore (if there
// is a build file), else of the folder's own ignore file, else none. Mistakes
// in it are added to `mistakes`.
absl::StatusOr<ir::IgnoreMatcher> FindIgnores(
    const std::string& named, const std::string& build_file,
    const std::string& folder, std::vector<FileMistakes>& mistakes);

// As stderr shows them.
std::string RenderFileMistakes(const std::vector<FileMistakes>& mistakes,
                               const RenderOptions& options);

}  // namespace lamina::cli
