#include "backend/cache_mount.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

using ir::Mount;

// The root folder of a cache has the mode and owner of the mount, unless it is
// a folder of another tree.
bool HasOwnRoot(const Mount& mount) {
  return mount.source.empty() || mount.source == "/";
}

absl::Status MakeCache(const Mount& mount, const CacheSeed* seed,
                       const std::string& folder) {
  RETURN_IF_ERROR(seed == nullptr ? MakeDirs(folder) : seed->fill(folder));
  if (!HasOwnRoot(mount)) {
    return absl::OkStatus();
  }
  bool other_owner = mount.uid != 0 || mount.gid != 0;
  if ((other_owner && chown(folder.c_str(), mount.uid, mount.gid) != 0) ||
      chmod(folder.c_str(), mount.mode) != 0) {
    return ErrnoError(absl::StrCat("make the cache ", folder));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenLock(const std::string& path) {
  return OpenFile(absl::StrCat(path, ".lock"), O_RDWR | O_CREAT, 0600);
}

// False when the lock is taken and `how` does not wait.
absl::StatusOr<bool> Lock(int file, int how, const std::string& path) {
  int code = 0;
  while ((code = flock(file, how)) != 0 && errno == EINTR) {
  }
  if (code != 0 && errno != EWOULDBLOCK) {
    return ErrnoError(absl::StrCat("lock ", path));
  }
  return code == 0;
}

// Half a cache is never seen: it gets its name when it is whole.
absl::Status EnsureMade(const Mount& mount, const CacheSeed* seed,
                        const std::string& path) {
  std::string draft = absl::StrCat(path, ".new");
  ASSIGN_OR_RETURN(UniqueFd lock, OpenLock(draft));
  RETURN_IF_ERROR(Lock(lock.get(), LOCK_EX, draft).status());
  if (FileExists(path)) {
    return absl::OkStatus();
  }
  if (FileExists(draft)) {
    RETURN_IF_ERROR(RemoveTree(draft));
  }
  RETURN_IF_ERROR(MakeCache(mount, seed, draft));
  return rename(draft.c_str(), path.c_str()) == 0
             ? absl::OkStatus()
             : ErrnoError(absl::StrCat("make the cache ", path));
}

}  // namespace

absl::StatusOr<CacheInstance> TakeCache(const Mount& mount,
                                        const CacheSeed* seed,
                                        const std::string& caches) {
  // Another owner or mode is another cache.
  std::string name = Sha256(absl::StrCat(mount.id, "\n", mount.mode, " ",
                                         mount.uid, " ", mount.gid, "\n",
                                         seed == nullptr ? "" : seed->identity))
                         .hex();
  std::string folder = JoinPath(caches, name);
  RETURN_IF_ERROR(MakeDirs(folder));
  int how = mount.sharing == Mount::Sharing::kShared    ? LOCK_SH
            : mount.sharing == Mount::Sharing::kPrivate ? LOCK_EX | LOCK_NB
                                                        : LOCK_EX;
  for (int number = 0;; ++number) {
    std::string path = JoinPath(folder, absl::StrCat(number));
    ASSIGN_OR_RETURN(UniqueFd lock, OpenLock(path));
    ASSIGN_OR_RETURN(bool taken, Lock(lock.get(), how, path));
    if (taken) {
      RETURN_IF_ERROR(EnsureMade(mount, seed, path));
      return CacheInstance{path, std::move(lock)};
    }
  }
}

}  // namespace lamina::backend
