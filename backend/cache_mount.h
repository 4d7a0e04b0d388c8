// Folders of cache mounts: which one a mount gets, and what a new one starts
// with (dockerfile.md 9.1).
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "ir/op.h"

namespace lamina::backend {

// The files that a new cache starts with: `from` of the mount.
struct CacheSeed {
  std::string identity;  // Other files are another cache.
  // Makes the folder, which is not there yet, with these files in it.
  std::function<absl::Status(const std::string& folder)> fill;
};

// One instance of a cache, locked as `sharing` says.
struct CacheInstance {
  std::string folder;
  UniqueFd lock;
};

// Takes an instance of the cache of `mount` below the folder `caches`, and
// makes it if there is none. `seed` is null for one that starts empty. Waits
// for a `locked` cache that is in use.
absl::StatusOr<CacheInstance> TakeCache(const ir::Mount& mount,
                                        const CacheSeed* seed,
                                        const std::string& caches);

}  // namespace lamina::backend
