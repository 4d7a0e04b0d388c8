// File descriptors and the few file operations everybody needs. EINTR and
// short reads and writes are handled here and nowhere else.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina {

// Owns a file descriptor; -1 is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Close(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Close();

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC.
absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags,
                                  mode_t mode = 0);
// openat2(2) inside the directory `root` as if it were "/": symlinks resolve
// inside it and "..": stays in it. Never follows /proc magic links.
absl::StatusOr<UniqueFd> OpenInRoot(int root, const std::string& path,
                                    int flags, mode_t mode = 0);
// The same, but a symlink anywhere in `path` is an error (ELOOP), and leaving
// the directory too (EXDEV): for trees whose names were resolved already.
absl::StatusOr<UniqueFd> OpenBeneath(int root, const std::string& path,
                                     int flags, mode_t mode = 0);

// Reads to the end. `limit` in bytes; a longer file is an error.
absl::StatusOr<std::string> ReadAll(int fd, size_t limit = SIZE_MAX);
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     size_t limit = SIZE_MAX);
// Up to `size` bytes; fewer only at the end of the file.
absl::StatusOr<size_t> ReadFull(int fd, void* buffer, size_t size);
absl::Status WriteAll(int fd, absl::string_view bytes);

// Writes a new file beside `path`, syncs it if `durable`, and renames it over
// `path`, so that readers see the old bytes or the new ones.
absl::Status ReplaceFile(const std::string& path, absl::string_view bytes,
                         mode_t mode, bool durable);

// mkdir -p with mode 0755 (subject to no umask); existing folders are fine.
absl::Status MakeDirs(const std::string& path, mode_t mode = 0755);
// rm -rf by descriptors; never follows a symlink; a missing path is fine.
absl::Status RemoveTree(int parent, const std::string& name);
absl::Status RemoveTree(const std::string& path);

bool FileExists(const std::string& path);

// "a/b" from its parts; an absolute second part is not special: Join("/x","/y")
// is "/x/y".
std::string JoinPath(absl::string_view a, absl::string_view b);
// Lexical: no ".", "..", doubled or trailing slash; ".." stays at the root of
// an absolute path. "" becomes ".".
std::string CleanPath(absl::string_view path);
absl::string_view BaseName(absl::string_view path);
absl::string_view DirName(absl::string_view path);

// A folder that is removed with everything in it at the end.
class TempDir {
 public:
  // Under `parent`, or $TMPDIR, or /tmp.
  static absl::StatusOr<TempDir> Create(const std::string& parent = "");
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TempDir& operator=(TempDir&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TempDir();
  const std::string& path() const { return path_; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace lamina
