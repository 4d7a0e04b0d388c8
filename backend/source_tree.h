// Where COPY reads from: a folder of the user with its ignore patterns, or the
// tree of another stage or image. Paths are clean, relative, "" is the root.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/store/store.h"
#include "base/files.h"
#include "ir/layout/step_diff.h"
#include "ir/layout/tree.h"
#include "ir/patterns.h"

namespace lamina::backend {

// A path of a source as it is there: symlinks are symlinks.
struct SourceItem {
  ir::Entry entry;
  FileStamp stamp;            // Of a file on the host; else zeros.
  std::string same_file_as;   // Not empty: names one file with this path.
};

// What a source tree is made of.
enum class SourceKind {
  kPaths,   // A folder of the user, a stage, an image.
  kFile,    // One file from a URL.
  kCommit,  // The files of a commit of a git repository.
};

// An ignored path is absent for all three functions.
struct SourceTree {
  SourceKind kind = SourceKind::kPaths;
  std::function<absl::StatusOr<std::optional<SourceItem>>(
      const std::string& path)>
      find;
  // By name, in byte order.
  std::function<absl::StatusOr<std::vector<SourceItem>>(
      const std::string& folder)>
      children;
  std::function<absl::StatusOr<UniqueFd>(const std::string& path)> open;
};

// A folder of the user. Nothing outside it is reachable, whatever its symlinks
// say. Sockets are absent; other special files are listed.
absl::StatusOr<SourceTree> OpenContextFolder(const std::string& path,
                                             const ir::IgnoreMatcher& ignore);

// A merged tree; `folders` hold its layers unpacked, bottom to top. Both must
// outlive the source.
SourceTree OpenLayerTree(const ir::Tree& tree,
                         const std::vector<std::string>& folders);

// One file called `name` at the root, with the bytes of the host's file `path`,
// whose digest is `content`: 0600, 0:0, `mtime` in seconds since the epoch.
SourceTree OpenRemoteFile(const std::string& name, const std::string& path,
                          const Digest& content, int64_t mtime);

// A checked-out commit: files 0644 or 0755, folders 0755, 0:0, no attributes.
// `mtime`: all files have that time.
absl::StatusOr<SourceTree> OpenCommitFolder(const std::string& path,
                                            std::optional<int64_t> mtime);

// What a path is, as far as following it needs.
struct PathKind {
  bool exists = false;
  bool is_symlink = false;
  std::string link;
};

// Follows the symlinks of `path` as inside a chroot, the last component too if
// `follow_last`. What does not exist is kept as it is written. Fails after 40
// symlinks.
absl::StatusOr<std::string> FollowPath(
    const std::string& path, bool follow_last,
    const std::function<absl::StatusOr<PathKind>(const std::string&)>& look);

}  // namespace lamina::backend
