// Which processes use the store, and what the dead ones left.
//
// A lock file is made before its folder and removed after it, so a folder
// without a lock file is always garbage.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr absl::string_view kLockSuffix = ".lock";
constexpr absl::string_view kReserved = "reserved";

// True when the lock file is still the one that `path` names.
bool IsCurrent(int fd, const std::string& path) {
  struct stat opened;
  struct stat named;
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

std::vector<IdRange> ReadReserved(const std::string& folder) {
  std::vector<IdRange> ranges;
  absl::StatusOr<std::string> text =
      ReadFile(JoinPath(folder, kReserved), size_t{1} << 24);
  if (!text.ok()) {
    return ranges;  // Nothing was reserved.
  }
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    IdRange range;
    if (absl::SimpleAtoi(parts.first, &range.first) &&
        absl::SimpleAtoi(parts.second, &range.last)) {
      ranges.push_back(range);
    }
  }
  return ranges;
}

uint64_t SizeBelow(int folder, std::set<std::pair<dev_t, ino_t>>& linked) {
  uint64_t total = 0;
  DIR* dir = fdopendir(folder);
  if (dir == nullptr) {
    close(folder);
    return 0;
  }
  while (dirent* entry = readdir(dir)) {
    absl::string_view name = entry->d_name;
    struct stat info;
    if (name == "." || name == ".." ||
        fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    if (S_ISDIR(info.st_mode)) {
      total += static_cast<uint64_t>(info.st_blocks) * 512;
      int child = openat(dirfd(dir), entry->d_name,
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      total += child >= 0 ? SizeBelow(child, linked) : 0;
    } else if (info.st_nlink == 1 ||
               linked.emplace(info.st_dev, info.st_ino).second) {
      total += static_cast<uint64_t>(info.st_blocks) * 512;
    }
  }
  closedir(dir);
  return total;
}

}  // namespace

absl::StatusOr<bool> LockFile(int fd, int operation) {
  while (flock(fd, operation) != 0) {
    if (errno == EWOULDBLOCK) {
      return false;
    }
    if (errno != EINTR) {
      return ErrnoError("lock a file of the store");
    }
  }
  return true;
}

std::vector<std::string> ListFolder(const std::string& path) {
  std::vector<std::string> names;
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) {
    return names;
  }
  while (dirent* entry = readdir(dir)) {
    absl::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  closedir(dir);
  return names;
}

uint64_t DiskSize(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) {
    return 0;
  }
  uint64_t total = static_cast<uint64_t>(info.st_blocks) * 512;
  if (S_ISDIR(info.st_mode)) {
    std::set<std::pair<dev_t, ino_t>> linked;
    int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    total += fd >= 0 ? SizeBelow(fd, linked) : 0;
  }
  return total;
}

absl::StatusOr<Digest> HashFile(int fd) {
  std::string buffer(size_t{1} << 20, '\0');
  Hasher hasher;
  while (true) {
    ASSIGN_OR_RETURN(size_t got, ReadFull(fd, buffer.data(), buffer.size()));
    hasher.Update(buffer.data(), got);
    if (got < buffer.size()) {
      return hasher.Finish();
    }
  }
}

absl::StatusOr<Instance> Instance::Create(const std::string& tmp) {
  std::string name;
  struct timespec now;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    name = JoinPath(tmp, absl::StrCat(getpid(), "-", now.tv_sec, "-",
                                      now.tv_nsec, "-", attempt));
    std::string lock = absl::StrCat(name, kLockSuffix);
    absl::StatusOr<UniqueFd> fd =
        OpenFile(lock, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (absl::IsAlreadyExists(fd.status())) {
      continue;
    }
    RETURN_IF_ERROR(fd.status());
    // Between the two calls another process may take it for a dead one's.
    ASSIGN_OR_RETURN(bool locked, LockFile(fd->get(), LOCK_EX | LOCK_NB));
    if (!locked || !IsCurrent(fd->get(), lock)) {
      continue;
    }
    if (mkdir(name.c_str(), 0700) != 0) {
      return ErrnoError(absl::StrCat("create folder ", name));
    }
    Instance instance;
    instance.folder_ = name;
    instance.lock_ = *std::move(fd);
    return instance;
  }
  return absl::UnavailableError(
      absl::StrCat("cannot make a lock file in ", tmp));
}

absl::Status Instance::NoteReserved(LayerId first, LayerId last) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(JoinPath(folder_, kReserved),
                                         O_WRONLY | O_CREAT | O_APPEND, 0600));
  return WriteAll(fd.get(), absl::StrCat(first, " ", last, "\n"));
}

absl::Status Instance::Remove() {
  RETURN_IF_ERROR(RemoveTree(folder_));
  unlink(absl::StrCat(folder_, kLockSuffix).c_str());
  lock_.Close();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<DeadInstance>> FindDeadInstances(
    const std::string& tmp) {
  std::vector<DeadInstance> dead;
  for (const std::string& name : ListFolder(tmp)) {
    std::string path = JoinPath(tmp, name);
    if (!absl::EndsWith(name, kLockSuffix)) {
      if (!FileExists(absl::StrCat(path, kLockSuffix))) {
        dead.push_back({path, UniqueFd(), ReadReserved(path)});
      }
      continue;
    }
    absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDWR | O_NOFOLLOW);
    if (absl::IsNotFound(fd.status())) {
      continue;  // Its owner just left.
    }
    RETURN_IF_ERROR(fd.status());
    ASSIGN_OR_RETURN(bool locked, LockFile(fd->get(), LOCK_EX | LOCK_NB));
    if (locked && IsCurrent(fd->get(), path)) {
      std::string folder(absl::StripSuffix(path, kLockSuffix));
      dead.push_back({folder, *std::move(fd), ReadReserved(folder)});
    }
  }
  return dead;
}

absl::Status RemoveDeadInstance(const DeadInstance& instance) {
  RETURN_IF_ERROR(RemoveTree(instance.folder));
  unlink(absl::StrCat(instance.folder, kLockSuffix).c_str());
  return absl::OkStatus();
}

}  // namespace lamina::backend
