#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace lamina {
namespace {

absl::StatusOr<UniqueFd> OpenAt2(int root, const std::string& path, int flags,
                                 mode_t mode, uint64_t resolve) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = resolve;
  // RESOLVE_IN_ROOT answers EAGAIN while another process renames folders.
  for (int attempt = 0; attempt < 100; ++attempt) {
    long fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) {
      return UniqueFd(static_cast<int>(fd));
    }
    if (errno != EAGAIN && errno != EINTR) {
      break;
    }
  }
  return ErrnoError(absl::StrCat("open ", path));
}

}  // namespace

void UniqueFd::Close() {
  if (fd_ >= 0) {
    close(fd_);
    fd_ = -1;
  }
}

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags,
                                  mode_t mode) {
  int fd = -1;
  do {
    fd = open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    return ErrnoError(absl::StrCat("open ", path));
  }
  return UniqueFd(fd);
}

absl::StatusOr<UniqueFd> OpenInRoot(int root, const std::string& path,
                                    int flags, mode_t mode) {
  return OpenAt2(root, path.empty() ? "." : path, flags, mode,
                 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

absl::StatusOr<UniqueFd> OpenBeneath(int root, const std::string& path,
                                     int flags, mode_t mode) {
  return OpenAt2(root, path.empty() ? "." : path, flags, mode,
                 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

absl::StatusOr<size_t> ReadFull(int fd, void* buffer, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t got = read(fd, static_cast<char*>(buffer) + done, size - done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return ErrnoError("read");
    }
    if (got == 0) {
      break;
    }
    done += static_cast<size_t>(got);
  }
  return done;
}

absl::StatusOr<std::string> ReadAll(int fd, size_t limit) {
  std::string out;
  struct stat info;
  size_t step = 64 * 1024;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
    step = static_cast<size_t>(info.st_size) + 1;
  }
  while (true) {
    size_t before = out.size();
    out.resize(before + step);
    ASSIGN_OR_RETURN(size_t got, ReadFull(fd, out.data() + before, step));
    out.resize(before + got);
    if (out.size() > limit) {
      return absl::OutOfRangeError(
          absl::StrCat("longer than ", limit, " bytes"));
    }
    if (got < step) {
      return out;
    }
    step = 64 * 1024;
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  absl::StatusOr<std::string> bytes = ReadAll(fd.get(), limit);
  if (!bytes.ok()) {
    return Annotate(bytes.status(), path);
  }
  return bytes;
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return ErrnoError("write");
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status ReplaceFile(const std::string& path, absl::string_view bytes,
                         mode_t mode, bool durable) {
  std::string name = absl::StrCat(path, ".tmp.", getpid(), ".XXXXXX");
  UniqueFd fd(mkostemp(name.data(), O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError(absl::StrCat("create a file beside ", path));
  }
  absl::Status status = WriteAll(fd.get(), bytes);
  if (status.ok() && fchmod(fd.get(), mode) != 0) {
    status = ErrnoError("set the mode");
  }
  if (status.ok() && durable && fsync(fd.get()) != 0) {
    status = ErrnoError("sync");
  }
  if (status.ok() && rename(name.c_str(), path.c_str()) != 0) {
    status = ErrnoError("rename");
  }
  if (!status.ok()) {
    unlink(name.c_str());
    return Annotate(status, path);
  }
  return absl::OkStatus();
}

absl::Status MakeDirs(const std::string& path, mode_t mode) {
  for (size_t end = 1; end <= path.size(); ++end) {
    if (end != path.size() && path[end] != '/') {
      continue;
    }
    std::string prefix = path.substr(0, end);
    if (mkdir(prefix.c_str(), mode) == 0) {
      chmod(prefix.c_str(), mode);
    } else if (errno != EEXIST && !FileExists(prefix)) {
      return ErrnoError(absl::StrCat("create folder ", prefix));
    }
  }
  return absl::OkStatus();
}

absl::Status RemoveTree(int parent, const std::string& name) {
  if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  if (errno != EISDIR && errno != EPERM) {
    return ErrnoError(absl::StrCat("remove ", name));
  }
  int fd = openat(parent, name.c_str(),
                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == EACCES) {
    // Overlay's work folder has mode 000; the open below tells if this failed.
    if (fchmodat(parent, name.c_str(), 0700, 0) != 0) {
      return ErrnoError(absl::StrCat("open folder ", name));
    }
    fd = openat(parent, name.c_str(),
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  if (fd < 0) {
    return ErrnoError(absl::StrCat("open folder ", name));
  }
  std::vector<std::string> children;
  DIR* dir = fdopendir(fd);
  while (dirent* entry = readdir(dir)) {
    absl::string_view child = entry->d_name;
    if (child != "." && child != "..") {
      children.emplace_back(child);
    }
  }
  absl::Status status;
  for (const std::string& child : children) {
    status.Update(RemoveTree(dirfd(dir), child));
  }
  closedir(dir);
  RETURN_IF_ERROR(status);
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return ErrnoError(absl::StrCat("remove folder ", name));
  }
  return absl::OkStatus();
}

absl::Status RemoveTree(const std::string& path) {
  return RemoveTree(AT_FDCWD, path);
}

bool FileExists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

std::string JoinPath(absl::string_view a, absl::string_view b) {
  while (!b.empty() && b.front() == '/') {
    b.remove_prefix(1);
  }
  if (a.empty() || b.empty()) {
    return std::string(a.empty() ? b : a);
  }
  return absl::StrCat(a, a.back() == '/' ? "" : "/", b);
}

std::string CleanPath(absl::string_view path) {
  bool absolute = !path.empty() && path.front() == '/';
  std::vector<absl::string_view> parts;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") {
      continue;
    }
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(part);
    }
  }
  std::string joined = absl::StrJoin(parts, "/");
  if (absolute) {
    return absl::StrCat("/", joined);
  }
  return joined.empty() ? "." : joined;
}

absl::string_view BaseName(absl::string_view path) {
  size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

absl::string_view DirName(absl::string_view path) {
  size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) {
    return "";
  }
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

absl::StatusOr<TempDir> TempDir::Create(const std::string& parent) {
  std::string base = parent;
  if (base.empty()) {
    const char* environment = getenv("TMPDIR");
    base = environment != nullptr && *environment != '\0' ? environment
                                                          : "/tmp";
  }
  std::string path = JoinPath(base, "lamina.XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return ErrnoError(absl::StrCat("create a folder in ", base));
  }
  return TempDir(std::move(path));
}

TempDir::~TempDir() {
  if (!path_.empty()) {
    RemoveTree(path_).IgnoreError();
  }
}

}  // namespace lamina
