// What the word of `build` and `plan` names: a folder, an archive, or standard
// input with either an archive or a Dockerfile.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"

namespace lamina::cli {

struct ContextInput {
  std::string folder;
  // Set when `folder` is an unpacked archive, or empty; removed with this.
  std::shared_ptr<TempDir> unpacked;
  std::optional<std::string> build_file;  // The text that stdin had.
};

// Errors: no such folder or archive, a damaged archive, a URL (not built yet).
absl::StatusOr<ContextInput> OpenContext(const std::string& word);

}  // namespace lamina::cli
