// What the word of `build` and `plan` names: a folder, an archive, standard
// input, a URL or a git repository (dockerfile.md 13.2).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "backend/run_mounts.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/remote_access.h"

namespace lamina::cli {

struct ContextInput {
  std::string folder;
  // Set when `folder` is an unpacked archive, or empty; removed with this.
  std::shared_ptr<TempDir> unpacked;
  // Its text, when a build file is all that there is, and how to call it.
  std::optional<std::string> build_file;
  std::string file_name;
  // The folder is no folder of the user: links in it stay inside.
  bool foreign = false;
  // Fetched: no ignore file of it counts.
  bool remote = false;
  // Files of a commit, which have no modes and owners of their own.
  bool commit = false;
  std::optional<int64_t> commit_time;
  // Seconds since the epoch, for SOURCE_DATE_EPOCH=context.
  std::optional<int64_t> time;
};

// Errors: no such folder or archive, a damaged archive, a failing fetch.
absl::StatusOr<ContextInput> OpenContext(
    const std::string& word, const Invocation& invocation,
    const backend::RunResources& resources, RemoteAccess& remote);

// URLs, git repositories, and `github.com/x/y`.
bool IsRemoteContext(const std::string& word);
absl::StatusOr<ContextInput> OpenRemoteContext(
    const std::string& word, const Invocation& invocation,
    const backend::RunResources& resources, RemoteAccess& remote);

}  // namespace lamina::cli
