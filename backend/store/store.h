// The local store: content-addressed blobs, layers, images, tags, containers
// and the step cache (reliability.md 2).
//
//   ROOT/format            version of the layout
//   ROOT/lamina.db         SQLite: every mutable record
//   ROOT/blobs/sha256/HEX  configs and layer tars, immutable
//   ROOT/layers/ID/diff    the step diff of a layer, text
//   ROOT/layers/ID/fs      the layer as an overlay folder, when it is unpacked
//   ROOT/containers/ID/    upper and work folder of a container
//   ROOT/git/HEX           copies of what was fetched from git repositories; only
//                          Prune removes them
//   ROOT/caches/HEX/N      folders of cache mounts, and N.lock; only Prune
//                          removes them
//   ROOT/tmp/INSTANCE/     work in progress; a lock file beside it is held by
//                          the owner and dies with it
//
//   ROOT/quarantine/       blobs whose bytes were wrong
//   ROOT/in-use, locks     lock files, see EndUse() and Lock()
//
// Publishing: data is written below tmp/ or in a folder that no record names
// and then named by a record, which other processes see at once. A killed
// process leaves garbage at most, which the next Open removes.
//
// Power loss: a record may reach the disk before its data. Records whose data
// was not synced are listed in the database; the first Open after a boot drops
// them. Flush() and AddImage() sync the data once (syncfs) and clear the list;
// an image is only recorded after that, durably. With Durability::kImage only
// AddImage does so, with kNone nothing is listed and nothing is synced.
//
// All functions may be called from several threads and several processes.
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
  std::string state;  // "created", "running", "exited".
  int exit_code = 0;
  int pid = 0;  // While it runs.
};

// A file as stat(2) saw it, and what it held then. Never decides alone: size,
// times and inode must all agree, and the file must be older than the record.
struct FileStamp {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t mtime_ns = 0, ctime_ns = 0;

  friend auto operator<=>(const FileStamp&, const FileStamp&) = default;
};

// One build that succeeded, for the plans of later ones.
struct BuildRecord {
  int64_t id = 0;       // Ascending in time; set by AddBuild.
  std::string target;   // Identity across builds: file, target, platform.
  int64_t started = 0;  // Seconds since the epoch.
  std::string document;  // JSON; see backend/build_record.h.
};

// What the last fetch from elsewhere gave.
struct RemoteRecord {
  Digest key;      // Names URL and ref.
  Digest content;  // Of a download: its blob.
  std::string etag;           // As the server said.
  std::string last_modified;
  std::string commit;  // Of a git ref; with the tag's own name and the ref's.
  std::string tag;
  std::string ref;
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
  // Opens a store that exists and changes nothing in it, nor cleans up; what
  // changes the store fails. NotFound, PermissionDenied.
  static absl::StatusOr<std::unique_ptr<Store>> OpenReadOnly(
      const std::string& root);
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
  // Not verified: the reader hashes while it reads.
  absl::StatusOr<UniqueFd> OpenBlob(const Digest& digest);
  // Reads a blob; false when it is not there, or had wrong bytes and is in
  // quarantine now.
  absl::StatusOr<bool> CheckBlob(const Digest& digest);
  // Takes a blob out of use whose bytes turned out to be wrong.
  absl::Status Quarantine(const Digest& digest);

  // --- layers ------------------------------------------------------------
  // A new layer without records: its folder ROOT/layers/ID exists and belongs
  // to this process until AddLayer.
  absl::StatusOr<LayerId> ReserveLayer();
  std::string LayerFolder(LayerId id) const;  // ROOT/layers/ID
  std::string LayersFolder() const;           // ROOT/layers
  std::string CachesFolder() const;           // ROOT/caches, of RUN mounts
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
  absl::StatusOr<std::optional<StepRecord>> LatestStep(const std::string& name);
  absl::Status AddStep(const StepRecord& record);
  absl::StatusOr<std::optional<Digest>> FindFileDigest(const FileStamp& stamp);
  // The same for many files: faster, in the order of `stamps`.
  absl::StatusOr<std::vector<std::optional<Digest>>> FindFileDigests(
      const std::vector<FileStamp>& stamps);
  // Remembers what files held that were read at `read_since` (nanoseconds
  // since the epoch) or later; without it, since this store was opened. A file
  // changed so shortly before that the clock of its file system might give a
  // later change the same time is left out: see file_digests.cc.
  absl::Status AddFileDigests(
      const std::vector<std::pair<FileStamp, Digest>>& digests,
      std::optional<int64_t> read_since = std::nullopt);

  // --- build history -----------------------------------------------------
  // Keeps the last 100 records of each target.
  absl::Status AddBuild(const BuildRecord& record);
  // The newest first, at most `limit`.
  absl::StatusOr<std::vector<BuildRecord>> ListBuilds(
      const std::string& target, int limit);
  // By number; of any target.
  absl::StatusOr<std::optional<BuildRecord>> FindBuild(int64_t id);
  // Layers that were chosen for the same steps and the same question before:
  // text of the caller's. Forgotten by Prune.
  absl::StatusOr<std::optional<std::string>> FindLayout(const Digest& key);
  absl::Status AddLayout(const Digest& key, absl::string_view text);

  // --- downloads ---------------------------------------------------------
  absl::StatusOr<std::optional<RemoteRecord>> FindRemote(const Digest& key);
  // `record.content` must be a blob, which stays until Prune.
  absl::Status AddRemote(const RemoteRecord& record);
  std::string GitFolder() const;  // ROOT/git

  // --- images ------------------------------------------------------------
  // Stores the configuration, syncs everything the image needs and publishes
  // it. Tags move to it.
  absl::StatusOr<Image> AddImage(const std::string& config_json,
                                 const std::vector<LayerId>& layers,
                                 const std::vector<ir::ImageReference>& tags);
  absl::StatusOr<std::vector<Image>> ListImages();
  absl::StatusOr<Image> GetImage(const Digest& id);
  // By name, digest, id or unique id prefix of at least 2 digits. Errors name
  // what is near.
  absl::StatusOr<Image> FindImage(absl::string_view name);
  // Full names (ImageReference::Full) in byte order.
  absl::StatusOr<std::vector<std::pair<std::string, Digest>>> ListTags();
  absl::Status Tag(const ir::ImageReference& name, const Digest& image);
  // Returns false when there is no such tag.
  absl::StatusOr<bool> Untag(const ir::ImageReference& name);
  // Removes an image and its tags, and frees layers and blobs that neither an
  // image, a container nor a step of the cache needs. While another process
  // uses the store only the records go; see sweep_pending().
  absl::Status RemoveImage(const Digest& id);

  // --- containers --------------------------------------------------------
  // Fills in an empty id, name and time of creation, and makes the folders
  // `upper` and `work` below ContainerFolder(). The layers of the image stay
  // as long as the container. Errors: the name is taken.
  absl::StatusOr<Container> AddContainer(Container container);
  absl::Status UpdateContainer(const Container& container);
  absl::StatusOr<std::vector<Container>> ListContainers();
  absl::StatusOr<Container> FindContainer(absl::string_view name);
  absl::Status RemoveContainer(const std::string& id);
  std::string ContainerFolder(const std::string& id) const;

  // --- upkeep ------------------------------------------------------------
  // Syncs the data of all records so far, after which no loss of power drops
  // them. Costs nothing when nothing is unsynced.
  absl::Status Flush();
  absl::StatusOr<DiskUsage> Usage();
  // Drops step records (all, or those no image shares layers with) and frees
  // what nobody needs. Returns the bytes freed: none while another process
  // uses the store, see sweep_pending().
  absl::StatusOr<uint64_t> Prune(bool all);
  // True when the last Prune, RemoveImage or RemoveContainer removed records
  // only, as another process uses the store; the next one frees their data.
  bool sweep_pending() const;
  // An open store keeps other processes from freeing layers. This gives that
  // up, for a process that waits for a container, whose record is enough.
  // Nothing happens while layers are reserved.
  void EndUse();
  // Reads everything and names each object that is broken.
  absl::StatusOr<std::vector<std::string>> Verify();
  // Waits for the lock of `key`; it is held until the handle goes, and dies
  // with the process. For work that must not be done twice at once.
  absl::StatusOr<UniqueFd> Lock(const Digest& key);

 private:
  Store(std::string root, Durability durability);
  absl::Status RecoverFromPowerLoss();
  absl::Status DropUnsynced(const std::string& boot);
  absl::Status RecoverFromDeadProcesses();
  // Syncs all data and clears the list of unsynced objects.
  absl::Status Sync();
  absl::Status SyncFiles();
  // In the same transaction as the record; the caller holds the mutex.
  absl::Status NoteUnsynced(absl::string_view kind, LayerId layer);
  absl::Status NoteUnsynced(absl::string_view kind, const Digest& blob);
  // Checks what a record says about a layer against its folder: false when the
  // layer cannot be used; one that can be unpacked again is not `unpacked`.
  absl::StatusOr<bool> CheckPresent(Layer& layer);
  absl::StatusOr<Layer> MergeReserved(LayerId reserved, Layer known,
                                      const std::string& diff, bool unpacked);
  absl::Status ReplaceLayer(LayerId reserved, LayerId known, bool unpacked);
  absl::Status SetUnpacked(LayerId id);
  // A fresh file name in scratch().
  std::string ScratchFile();
  absl::StatusOr<Image> ReadImage(const Digest& id, int64_t stored_at);
  absl::StatusOr<std::optional<Digest>> ResolveImage(absl::string_view name);
  absl::Status WriteImage(const Image& image,
                          const std::vector<std::string>& names);
  absl::Status WriteContainer(const Container& container);
  // Removes data that no record needs, or only notes that there is some. The
  // caller holds the mutex.
  absl::StatusOr<uint64_t> Sweep();
  absl::StatusOr<uint64_t> SweepAlone();
  absl::StatusOr<uint64_t> RemoveUnnamed();

  std::string root_;
  std::string scratch_;
  Durability durability_;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lamina::backend
