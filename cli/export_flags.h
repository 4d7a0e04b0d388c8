// The flags that say which layers an image gets.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "backend/export_layers.h"
#include "cli/command.h"

namespace lamina::cli {

struct ExportSettings {
  backend::ExportPolicy policy;
  // Where the lock of this build goes; empty: nowhere.
  std::string lock_file;
  bool lock_is_new = false;
};

// `level` is "0", "1", "2" or "s"; `build_file` a path, for the lock beside
// it. Errors: an unknown preset, contradictory flags (usage); a lock that is
// damaged (the user's).
absl::StatusOr<ExportSettings> ReadExportSettings(
    const Invocation& invocation, const std::string& level,
    const std::string& build_file);

}  // namespace lamina::cli
