// What the store takes, and freeing it.
//
// A sweep deletes the rows of objects that nobody needs, durably, and then the
// files that no row names. A crash in between leaves garbage for the next one.
// Every open store holds ROOT/in-use shared and a sweep takes it exclusively,
// so what a running build has found or reserved is never taken away; while one
// runs there is no sweep.
#include <sys/file.h>
#include <sys/stat.h>

#include <set>

#include "absl/strings/numbers.h"
#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// The layers that an image or a container needs.
constexpr absl::string_view kPinned =
    "(SELECT layer FROM image_layers UNION SELECT layer FROM "
    "container_layers)";

absl::StatusOr<std::set<std::string>> AskNames(Database& database,
                                               absl::string_view sql) {
  ASSIGN_OR_RETURN(Query query, database.Ask(sql));
  std::set<std::string> names;
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return names;
    }
    names.insert(query.Text(0));
  }
}

absl::StatusOr<uint64_t> RemoveOthers(const std::string& folder,
                                      const std::set<std::string>& keep) {
  uint64_t freed = 0;
  for (const std::string& name : ListFolder(folder)) {
    if (!keep.contains(name)) {
      std::string path = JoinPath(folder, name);
      uint64_t size = DiskSize(path);
      RETURN_IF_ERROR(RemoveTree(path));
      freed += size;
    }
  }
  return freed;
}

// Layers and their stored forms, bytes on disk.
absl::StatusOr<uint64_t> SizeOf(const Store& store, Database& database,
                                const std::string& layers) {
  uint64_t total = 0;
  ASSIGN_OR_RETURN(std::set<std::string> ids,
                   AskNames(database, absl::StrCat("SELECT id FROM layers "
                                                   "WHERE id IN ",
                                                   layers)));
  for (const std::string& id : ids) {
    total += DiskSize(JoinPath(store.LayersFolder(), id));
  }
  ASSIGN_OR_RETURN(
      Query blobs,
      database.Ask(absl::StrCat(
          "SELECT DISTINCT digest FROM layer_blobs WHERE diff_id IN "
          "(SELECT diff_id FROM layers WHERE id IN ",
          layers, ")")));
  while (true) {
    ASSIGN_OR_RETURN(bool found, blobs.Next());
    if (!found) {
      return total;
    }
    total += DiskSize(store.BlobPath(blobs.GetDigest(0)));
  }
}

absl::StatusOr<DiskUsage::Row> ImageUsage(const Store& store,
                                          Database& database) {
  DiskUsage::Row row = {.type = "Images"};
  ASSIGN_OR_RETURN(std::optional<int64_t> count,
                   database.AskInt("SELECT count(*) FROM images"));
  ASSIGN_OR_RETURN(std::optional<int64_t> active,
                   database.AskInt("SELECT count(*) FROM images WHERE id IN "
                                   "(SELECT image FROM containers)"));
  row.count = count.value_or(0);
  row.active = active.value_or(0);
  ASSIGN_OR_RETURN(row.size,
                   SizeOf(store, database, "(SELECT layer FROM image_layers)"));
  ASSIGN_OR_RETURN(
      row.reclaimable,
      SizeOf(store, database,
             "(SELECT layer FROM image_layers EXCEPT SELECT layer FROM "
             "container_layers)"));
  ASSIGN_OR_RETURN(Query ids, database.Ask("SELECT id, id IN (SELECT image "
                                           "FROM containers) FROM images"));
  while (true) {
    ASSIGN_OR_RETURN(bool found, ids.Next());
    if (!found) {
      return row;
    }
    uint64_t size = DiskSize(store.BlobPath(ids.GetDigest(0)));
    row.size += size;
    row.reclaimable += ids.Int(1) == 0 ? size : 0;
  }
}

absl::StatusOr<DiskUsage::Row> ContainerUsage(const Store& store,
                                              Database& database) {
  DiskUsage::Row row = {.type = "Containers"};
  ASSIGN_OR_RETURN(Query query,
                   database.Ask("SELECT id, state FROM containers"));
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return row;
    }
    uint64_t size = DiskSize(store.ContainerFolder(query.Text(0)));
    bool running = query.Text(1) == "running";
    ++row.count;
    row.active += running ? 1 : 0;
    row.size += size;
    row.reclaimable += running ? 0 : size;
  }
}

absl::StatusOr<DiskUsage::Row> CacheUsage(const Store& store,
                                          Database& database) {
  DiskUsage::Row row = {.type = "Build cache"};
  ASSIGN_OR_RETURN(std::optional<int64_t> count,
                   database.AskInt("SELECT count(*) FROM steps"));
  ASSIGN_OR_RETURN(std::optional<int64_t> active,
                   database.AskInt(absl::StrCat(
                       "SELECT count(*) FROM steps WHERE layer IN ", kPinned)));
  row.count = count.value_or(0);
  row.active = active.value_or(0);
  ASSIGN_OR_RETURN(row.size,
                   SizeOf(store, database,
                          absl::StrCat("(SELECT id FROM layers EXCEPT SELECT * "
                                       "FROM ",
                                       kPinned, ")")));
  row.size += DiskSize(store.CachesFolder()) + DiskSize(store.GitFolder());
  ASSIGN_OR_RETURN(Query downloads,
                   database.Ask("SELECT DISTINCT content FROM remotes"));
  ASSIGN_OR_RETURN(bool more, downloads.Next());
  while (more) {
    row.size += DiskSize(store.BlobPath(downloads.GetDigest(0)));
    ASSIGN_OR_RETURN(more, downloads.Next());
  }
  row.reclaimable = row.size;
  return row;
}

}  // namespace

absl::StatusOr<DiskUsage> Store::Usage() {
  std::lock_guard lock(impl_->mutex);
  Database& database = impl_->database;
  DiskUsage usage;
  ASSIGN_OR_RETURN(DiskUsage::Row images, ImageUsage(*this, database));
  ASSIGN_OR_RETURN(DiskUsage::Row containers, ContainerUsage(*this, database));
  ASSIGN_OR_RETURN(DiskUsage::Row cache, CacheUsage(*this, database));
  usage.rows = {images, containers, cache};
  return usage;
}

absl::StatusOr<uint64_t> Store::Prune(bool all) {
  std::lock_guard lock(impl_->mutex);
  Database& database = impl_->database;
  uint64_t freed = 0;
  if (all) {
    ASSIGN_OR_RETURN(freed, RemoveOthers(JoinPath(root_, "quarantine"), {}));
  }
  {
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
    RETURN_IF_ERROR(database.Run("DELETE FROM remotes"));
    if (all) {
      RETURN_IF_ERROR(database.Run("DELETE FROM steps"));
      RETURN_IF_ERROR(database.Run("DELETE FROM file_digests"));
      RETURN_IF_ERROR(database.Run("DELETE FROM layouts"));
    } else {
      // A record without a layer takes no space and saves a step.
      RETURN_IF_ERROR(
          database.Run("DELETE FROM steps WHERE layer IS NOT NULL AND "
                       "layer NOT IN (SELECT layer FROM image_layers)"));
    }
    RETURN_IF_ERROR(transaction.Commit());
  }
  impl_->drop_caches = all;
  ASSIGN_OR_RETURN(uint64_t swept, Sweep());
  impl_->drop_caches = false;
  return freed + swept;
}

bool Store::sweep_pending() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->sweep_pending;
}

absl::StatusOr<uint64_t> Store::Sweep() {
  int in_use = impl_->in_use.get();
  ASSIGN_OR_RETURN(bool alone, LockFile(in_use, LOCK_EX | LOCK_NB));
  impl_->sweep_pending = !alone;
  absl::StatusOr<uint64_t> freed = alone ? SweepAlone() : uint64_t{0};
  // A failed try gave up the shared lock, too.
  RETURN_IF_ERROR(
      LockFile(in_use, impl_->uses_layers ? LOCK_SH : LOCK_UN).status());
  return freed;
}

absl::StatusOr<uint64_t> Store::SweepAlone() {
  Database& database = impl_->database;
  {
    // Durable, or power loss might bring the rows back without their files.
    ASSIGN_OR_RETURN(
        Transaction transaction,
        Transaction::Begin(database, durability_ != Durability::kNone));
    RETURN_IF_ERROR(database.Run(absl::StrCat(
        "DELETE FROM layers WHERE id NOT IN ", kPinned,
        " AND id NOT IN (SELECT layer FROM steps WHERE layer IS NOT NULL)")));
    RETURN_IF_ERROR(
        database.Run("DELETE FROM layer_blobs WHERE diff_id NOT IN "
                     "(SELECT diff_id FROM layers WHERE diff_id IS NOT NULL)"));
    RETURN_IF_ERROR(transaction.Commit());
  }
  ASSIGN_OR_RETURN(uint64_t freed, RemoveUnnamed());
  if (impl_->drop_caches) {
    for (const std::string& folder : {CachesFolder(), GitFolder()}) {
      ASSIGN_OR_RETURN(uint64_t bytes, RemoveOthers(folder, {}));
      freed += bytes;
    }
  }
  return freed;
}

absl::StatusOr<uint64_t> Store::RemoveUnnamed() {
  Database& database = impl_->database;
  ASSIGN_OR_RETURN(std::set<std::string> layers,
                   AskNames(database, "SELECT id FROM layers"));
  for (LayerId id : impl_->reserved) {
    layers.insert(absl::StrCat(id));
  }
  ASSIGN_OR_RETURN(std::set<std::string> blobs,
                   AskNames(database,
                            "SELECT lower(hex(digest)) FROM layer_blobs UNION "
                            "SELECT lower(hex(id)) FROM images UNION "
                            "SELECT lower(hex(content)) FROM remotes UNION "
                            "SELECT lower(hex(image)) FROM containers"));
  ASSIGN_OR_RETURN(std::set<std::string> containers,
                   AskNames(database, "SELECT id FROM containers"));
  ASSIGN_OR_RETURN(uint64_t freed, RemoveOthers(LayersFolder(), layers));
  ASSIGN_OR_RETURN(uint64_t blob_bytes,
                   RemoveOthers(JoinPath(root_, "blobs/sha256"), blobs));
  ASSIGN_OR_RETURN(uint64_t container_bytes,
                   RemoveOthers(JoinPath(root_, "containers"), containers));
  return freed + blob_bytes + container_bytes;
}

}  // namespace lamina::backend
