// The local store: content-addressed blobs, layers, images, tags, containers
// and the step cache (reliability.md 2).
//
//   ROOT/format            version of the layout
//   ROOT/lamina.db         SQLite: every mutable record
//   ROOT/blobs/sha256/HEX  configs and layer tars, immutable
//   ROOT/layers/ID/diff    the step diff of a layer, text
//   ROOT/layers/ID/fs      the layer as an overlay folder, when it is unpacked
//   ROOT/containers/ID/    upper and work folder of a container
//   ROOT/tmp/INSTANCE/     work in progress; a lock file beside it is held by
//                          the owner and dies with it
//
// Publishing: data is written below tmp/ or in a folder that no record names,
// synced once (syncfs) and only then named by a record. A crash leaves garbage
// at most, which the next Open removes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "base/digest.h"
#include "base/files.h"
#include "ir/image_reference.h"
#include "ir/layout/step_diff.h"

struct sqlite3;

namespace lamina::backend {

enum class Durability { kFull, kImage, kNone };

// What a finished step left: the record behind a cache hit.
struct StepRecord {
  Digest key;
  std::optional<LayerId> layer;  // None: the step changed nothing.
  double seconds = 0;            // How long it ran.
  int64_t created = 0;           // Seconds since the epoch.
  std::string name;    // Identity across builds: file, stage, position, text.
  std::string inputs;  // One line an input, "NAME DIGEST": says why a later
                       // build of `name` missed.
};

struct Container {
  std::string id;  // 64 hex digits.
  std::string name;
  Digest image;
  std::string image_name;  // As the user wrote it.
  std::string command;     // JSON array.
  int64_t created = 0;
  std::string state;       // "created", "running", "exited".
  int exit_code = 0;
  int pid = 0;             // While it runs.
};

// A file as stat(2) saw it, and what it held then. Never decides alone: size,
// times and inode must all agree, and the file must be older than the record.
struct FileStamp {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t mtime_ns = 0, ctime_ns = 0;

  friend auto operator<=>(const FileStamp&, const FileStamp&) = default;
};

struct DiskUsage {
  struct Row {
    std::string type;  // "Images", "Containers", "Build cache".
    int64_t count = 0, active = 0;
    uint64_t size = 0, reclaimable = 0;  // Bytes.
  };
  std::vector<Row> rows;
};

class Store {
 public:
  // Opens or creates the store; removes what dead processes left behind.
  // Errors: no permission, another format version, no space.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& root,
                                                     Durability durability);
  // True when there is a store at `root` already. Readers of an absent store
  // see an empty one and create nothing.
  static bool Exists(const std::string& root);
  ~Store();

  const std::string& root() const { return root_; }
  // The folder of this process below tmp/.
  const std::string& scratch() const { return scratch_; }

  // --- blobs -------------------------------------------------------------
  std::string BlobPath(const Digest& digest) const;
  bool HasBlob(const Digest& digest) const;
  // Moves a finished file of scratch() into place. The bytes must have
  // `digest`; nothing happens when the blob is there already.
  absl::Status PublishBlob(const std::string& file, const Digest& digest);
  absl::StatusOr<Digest> AddBlob(absl::string_view bytes);
  // Verifies the digest; a mismatch moves the blob to quarantine.
  absl::StatusOr<std::string> ReadBlob(const Digest& digest, size_t limit);
  absl::StatusOr<UniqueFd> OpenBlob(const Digest& digest);

  // --- layers ------------------------------------------------------------
  // A new layer without records: its folder ROOT/layers/ID exists and belongs
  // to this process until AddLayer.
  absl::StatusOr<LayerId> ReserveLayer();
  std::string LayerFolder(LayerId id) const;  // ROOT/layers/ID
  std::string LayersFolder() const;           // ROOT/layers
  // Publishes a reserved layer. When `chain` is known already the reserved
  // folder is dropped and the known layer returned.
  absl::StatusOr<Layer> AddLayer(LayerId reserved, const Digest& chain,
                                 const ir::StepDiff& diff, bool unpacked);
  absl::StatusOr<std::optional<Layer>> FindLayer(const Digest& chain);
  absl::StatusOr<Layer> GetLayer(LayerId id);
  absl::StatusOr<ir::StepDiff> ReadDiff(LayerId id);
  // `folder`, below scratch(), becomes ROOT/layers/ID/fs.
  absl::Status PublishUnpacked(LayerId id, const std::string& folder);
  // Records the tar of a layer; its diff is rewritten when digests of files
  // became known.
  absl::Status SetBlob(LayerId id, const LayerBlob& blob,
                       const ir::StepDiff* diff);
  absl::StatusOr<std::optional<LayerBlob>> FindBlob(const Digest& diff_id,
                                                    Compression compression);
  // Any stored form, uncompressed first.
  absl::StatusOr<std::optional<LayerBlob>> FindAnyBlob(const Digest& diff_id);

  // --- step cache --------------------------------------------------------
  absl::StatusOr<std::optional<StepRecord>> FindStep(const Digest& key);
  // The latest record of the same step, whatever its key.
  absl::StatusOr<std::optional<StepRecord>> LatestStep(
      const std::string& name);
  absl::Status AddStep(const StepRecord& record);
  absl::StatusOr<std::optional<Digest>> FindFileDigest(const FileStamp& stamp);
  absl::Status AddFileDigests(
      const std::vector<std::pair<FileStamp, Digest>>& digests);

  // --- images ------------------------------------------------------------
  // Stores the configuration, syncs everything the image needs and publishes
  // it. Tags move to it.
  absl::StatusOr<Image> AddImage(const std::string& config_json,
                                 const std::vector<LayerId>& layers,
                                 const std::vector<ir::ImageReference>& tags);
  absl::StatusOr<std::vector<Image>> ListImages();
  absl::StatusOr<Image> GetImage(const Digest& id);
  // By name, digest, id or unique id prefix. Errors name what is near.
  absl::StatusOr<Image> FindImage(absl::string_view name);
  absl::StatusOr<std::vector<std::pair<std::string, Digest>>> ListTags();
  absl::Status Tag(const ir::ImageReference& name, const Digest& image);
  // Returns false when there is no such tag.
  absl::StatusOr<bool> Untag(const ir::ImageReference& name);
  // Removes an image and its tags; layers that neither an image, a container
  // nor a step of the cache needs stay until Prune or are freed at once.
  absl::Status RemoveImage(const Digest& id);

  // --- containers --------------------------------------------------------
  absl::StatusOr<Container> AddContainer(Container container);
  absl::Status UpdateContainer(const Container& container);
  absl::StatusOr<std::vector<Container>> ListContainers();
  absl::StatusOr<Container> FindContainer(absl::string_view name);
  absl::Status RemoveContainer(const std::string& id);
  std::string ContainerFolder(const std::string& id) const;

  // --- upkeep ------------------------------------------------------------
  // Writes all buffered step records, after syncing what they name.
  absl::Status Flush();
  absl::StatusOr<DiskUsage> Usage();
  // Drops step records (all, or those no image shares layers with) and frees
  // what nobody needs. Returns the bytes freed.
  absl::StatusOr<uint64_t> Prune(bool all);
  // Reads everything and names each object that is broken.
  absl::StatusOr<std::vector<std::string>> Verify();
  // Waits for the lock of `key`; it is held until the handle goes, and dies
  // with the process. For work that must not be done twice at once.
  absl::StatusOr<UniqueFd> Lock(const Digest& key);

 private:
  Store(std::string root, Durability durability);
  std::string root_;
  std::string scratch_;
  Durability durability_;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lamina::backend
