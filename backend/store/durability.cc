// Making records durable, and putting a store in order after a crash.
//
// Every record is committed to SQLite at once, without waiting for the disk:
// other processes see it, and a killed process loses nothing. Power loss is
// another matter, as the record may have reached the disk before its data. So
// whatever has data that was not synced is listed in the table `unsynced`, in
// the same transaction. Flush syncs the data and then clears the list; the
// first Open after a boot drops what is still on it.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// Changes with every boot; empty without /proc.
std::string BootId() {
  absl::StatusOr<std::string> text =
      ReadFile("/proc/sys/kernel/random/boot_id", 4096);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : "";
}

absl::StatusOr<std::string> LastBoot(Database& database) {
  ASSIGN_OR_RETURN(Query query,
                   database.Ask("SELECT value FROM meta WHERE name = 'boot'"));
  ASSIGN_OR_RETURN(bool found, query.Next());
  return found ? query.Text(0) : "";
}

}  // namespace

absl::Status Store::RecoverFromDeadProcesses() {
  ASSIGN_OR_RETURN(std::vector<DeadInstance> dead,
                   FindDeadInstances(JoinPath(root_, "tmp")));
  for (const DeadInstance& instance : dead) {
    for (IdRange range : instance.reserved) {
      for (LayerId id = range.first; id <= range.last; ++id) {
        ASSIGN_OR_RETURN(std::optional<Layer> known, impl_->FindLayerRow(id));
        if (!known.has_value()) {
          RETURN_IF_ERROR(RemoveTree(LayerFolder(id)));
        }
      }
    }
    RETURN_IF_ERROR(RemoveDeadInstance(instance));
  }
  return absl::OkStatus();
}

absl::Status Store::RecoverFromPowerLoss() {
  std::string boot = BootId();
  ASSIGN_OR_RETURN(std::string last, LastBoot(impl_->database));
  if (boot.empty() || boot == last) {
    return absl::OkStatus();
  }
  // Nobody can be in the way: a store is opened under the lock of Open, and
  // whoever has opened it since the boot has been here before.
  int in_use = impl_->in_use.get();
  RETURN_IF_ERROR(LockFile(in_use, LOCK_EX).status());
  RETURN_IF_ERROR(DropUnsynced(boot));
  RETURN_IF_ERROR(RemoveUnnamed().status());
  return LockFile(in_use, LOCK_SH).status();
}

absl::Status Store::DropUnsynced(const std::string& boot) {
  Database& database = impl_->database;
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::Begin(database, /*durable=*/true));
  RETURN_IF_ERROR(database.RunScript(R"(
    UPDATE layers SET unpacked = 0 WHERE id IN
      (SELECT object FROM unsynced WHERE kind = 'unpacked');
    DELETE FROM layers WHERE
      id IN (SELECT object FROM unsynced WHERE kind = 'layer') AND
      id NOT IN (SELECT layer FROM image_layers);
    DELETE FROM layer_blobs WHERE digest IN
      (SELECT object FROM unsynced WHERE kind = 'blob');
    DELETE FROM remotes WHERE content IN
      (SELECT object FROM unsynced WHERE kind = 'blob');
    DELETE FROM steps WHERE layer IS NOT NULL AND
      layer NOT IN (SELECT id FROM layers);
    UPDATE containers SET state = 'exited', exit_code = 137, pid = 0
      WHERE state = 'running';
    DELETE FROM unsynced;)"));
  RETURN_IF_ERROR(
      database.Run("INSERT OR REPLACE INTO meta VALUES('boot', ?)", boot));
  RETURN_IF_ERROR(transaction.Commit());
  ASSIGN_OR_RETURN(Query packed, database.Ask("SELECT id FROM layers WHERE "
                                              "unpacked = 0"));
  while (true) {
    ASSIGN_OR_RETURN(bool found, packed.Next());
    if (!found) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(RemoveTree(JoinPath(LayerFolder(packed.Int(0)), "fs")));
  }
}

absl::Status Store::Flush() {
  return durability_ == Durability::kFull ? Sync() : absl::OkStatus();
}

absl::Status Store::Sync() {
  std::optional<int64_t> last;
  {
    std::lock_guard lock(impl_->mutex);
    ASSIGN_OR_RETURN(last,
                     impl_->database.AskInt("SELECT max(seq) FROM unsynced"));
  }
  if (!last.has_value()) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(SyncFiles());
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::Begin(impl_->database, /*durable=*/true));
  RETURN_IF_ERROR(
      impl_->database.Run("DELETE FROM unsynced WHERE seq <= ?", *last));
  return transaction.Commit();
}

absl::Status Store::SyncFiles() {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(root_, O_RDONLY | O_DIRECTORY));
  return syncfs(fd.get()) == 0
             ? absl::OkStatus()
             : ErrnoError(
                   absl::StrCat("write the store ", root_, " to the disk"));
}

absl::Status Store::NoteUnsynced(absl::string_view kind, LayerId layer) {
  return durability_ == Durability::kNone
             ? absl::OkStatus()
             : impl_->database.Run(
                   "INSERT INTO unsynced(kind, object) VALUES(?, ?)", kind,
                   layer);
}

absl::Status Store::NoteUnsynced(absl::string_view kind, const Digest& blob) {
  return durability_ == Durability::kNone
             ? absl::OkStatus()
             : impl_->database.Run(
                   "INSERT INTO unsynced(kind, object) VALUES(?, ?)", kind,
                   blob);
}

}  // namespace lamina::backend
