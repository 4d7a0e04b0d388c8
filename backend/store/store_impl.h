// What the files of the store share. Only they include this.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/store/database.h"
#include "backend/store/store.h"
#include "base/files.h"

namespace lamina::backend {

// A folder below tmp/ with a lock file beside it. `reserved`, inside, lists
// the ranges of layer ids that the instance took.
class Instance {
 public:
  static absl::StatusOr<Instance> Create(const std::string& tmp);
  const std::string& folder() const { return folder_; }
  // Says in the folder that ids [first, last] belong to this instance; before
  // any of their folders is made.
  absl::Status NoteReserved(LayerId first, LayerId last);
  // Removes folder and lock.
  absl::Status Remove();

 private:
  std::string folder_;
  UniqueFd lock_;
};

// A range of layer ids.
struct IdRange {
  LayerId first = 0;
  LayerId last = 0;
};

// An instance whose process is gone. Holding it keeps others from cleaning up
// the same.
struct DeadInstance {
  std::string folder;
  UniqueFd lock;
  std::vector<IdRange> reserved;
};
absl::StatusOr<std::vector<DeadInstance>> FindDeadInstances(
    const std::string& tmp);
absl::Status RemoveDeadInstance(const DeadInstance& instance);

// flock(2) with EINTR handled; false when `operation` has LOCK_NB and another
// process holds the lock.
absl::StatusOr<bool> LockFile(int fd, int operation);

// Names in a folder, without "." and ".."; empty when there is no folder.
std::vector<std::string> ListFolder(const std::string& path);
// Bytes on disk of everything below `path`; hard links count once.
uint64_t DiskSize(const std::string& path);

// The bytes of an open file.
absl::StatusOr<Digest> HashFile(int fd);

struct Store::Impl {
  Impl(Database opened, Instance mine, UniqueFd use)
      : database(std::move(opened)),
        instance(std::move(mine)),
        in_use(std::move(use)) {}

  // Guards everything below. Never held during long input or output.
  std::mutex mutex;
  Database database;
  Instance instance;
  // ROOT/in-use: held shared by every open store, exclusively by a sweep.
  UniqueFd in_use;
  bool uses_layers = true;  // `in_use` is held.
  bool has_builds = true;   // False: an old store, opened for reading.
  bool sweep_pending = false;
  bool drop_caches = false;  // The next sweep removes cache mounts, too.
  int64_t opened_ns = 0;  // CLOCK_REALTIME.
  // Ids of this instance that no folder has yet.
  IdRange free_ids = {1, 0};
  std::set<LayerId> reserved;  // Folders of this instance without records.
  uint64_t names = 0;          // For file names in scratch().

  // --- layers.cc; the caller holds the mutex
  absl::StatusOr<LayerId> NextLayerId();
  absl::StatusOr<std::optional<Layer>> FindLayerRow(const Digest& chain);
  absl::StatusOr<std::optional<Layer>> FindLayerRow(LayerId id);
  absl::StatusOr<std::vector<LayerId>> ImageLayers(const Digest& image);
  // --- images.cc; the caller holds the mutex
  absl::StatusOr<std::optional<int64_t>> FindImageRow(const Digest& id);
};

// The columns that Impl::FindLayerRow and others select.
Layer LayerFromRow(const Query& row);

}  // namespace lamina::backend
