// Opening and closing a store.
#include "backend/store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr int kFormat = 2;
constexpr absl::string_view kFormatPrefix = "lamina store ";

// `unsynced` has AUTOINCREMENT, as a number that is used twice would let one
// process clear what another has just listed.
constexpr const char* kSchema = R"(
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE layers(
  id INTEGER PRIMARY KEY, chain BLOB NOT NULL UNIQUE, diff_id BLOB,
  size INTEGER NOT NULL DEFAULT 0, unpacked INTEGER NOT NULL);
CREATE INDEX layers_diff_id ON layers(diff_id);
CREATE TABLE layer_blobs(
  diff_id BLOB NOT NULL, compression INTEGER NOT NULL, digest BLOB NOT NULL,
  size INTEGER NOT NULL, tar_size INTEGER NOT NULL,
  PRIMARY KEY(diff_id, compression)) WITHOUT ROWID;
CREATE INDEX layer_blobs_digest ON layer_blobs(digest);
CREATE TABLE steps(
  id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE,
  layer INTEGER, seconds REAL NOT NULL, created INTEGER NOT NULL,
  name TEXT NOT NULL, inputs TEXT NOT NULL);
CREATE INDEX steps_name ON steps(name);
CREATE INDEX steps_layer ON steps(layer);
CREATE TABLE images(id BLOB PRIMARY KEY, stored_at INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE image_layers(
  image BLOB NOT NULL, position INTEGER NOT NULL, layer INTEGER NOT NULL,
  PRIMARY KEY(image, position)) WITHOUT ROWID;
CREATE INDEX image_layers_layer ON image_layers(layer);
CREATE TABLE tags(name TEXT PRIMARY KEY, image BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX tags_image ON tags(image);
CREATE TABLE containers(
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image BLOB NOT NULL,
  image_name TEXT NOT NULL, command TEXT NOT NULL, created INTEGER NOT NULL,
  state TEXT NOT NULL, exit_code INTEGER NOT NULL, pid INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE container_layers(
  container TEXT NOT NULL, layer INTEGER NOT NULL,
  PRIMARY KEY(container, layer)) WITHOUT ROWID;
CREATE TABLE file_digests(
  device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
  mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY(device, inode)) WITHOUT ROWID;
CREATE TABLE unsynced(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, object NOT NULL);
INSERT INTO meta VALUES('next_layer', '1');
)";

// What format 2 added to format 1.
constexpr const char* kFormat2 = R"(
CREATE TABLE builds(
  id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL,
  started INTEGER NOT NULL, document TEXT NOT NULL);
CREATE INDEX builds_target ON builds(target);
CREATE TABLE layouts(key BLOB PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE remotes(
  key BLOB PRIMARY KEY, content BLOB NOT NULL, etag TEXT NOT NULL,
  last_modified TEXT NOT NULL, commit_id TEXT NOT NULL, tag TEXT NOT NULL,
  ref TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 2;
)";

absl::Status CheckOwner(const std::string& root, const struct stat& info) {
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the store ", root, " is no folder"));
  }
  if (info.st_uid != geteuid()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the store ", root, " belongs to user ", info.st_uid,
                     "; choose another with --root"));
  }
  if ((info.st_mode & 022) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("others may write to the store ", root,
                     "; check what is in it, then `chmod 700` it"));
  }
  return absl::OkStatus();
}

absl::Status WriteFormat(const std::string& root) {
  for (const std::string& name : ListFolder(root)) {
    // A process that was killed right here left its temporary file.
    if (!absl::StartsWith(name, "format")) {
      return absl::FailedPreconditionError(absl::StrCat(
          root, " is no store: it has files, but no file `format`"));
    }
  }
  return ReplaceFile(JoinPath(root, "format"),
                     absl::StrCat(kFormatPrefix, kFormat, "\n"), 0600,
                     /*durable=*/true);
}

absl::Status CheckFormat(const std::string& root) {
  ASSIGN_OR_RETURN(std::string text,
                   ReadFile(JoinPath(root, "format"), 4096));
  int format = 0;
  if (!absl::StartsWith(text, kFormatPrefix) ||
      !absl::SimpleAtoi(text.substr(kFormatPrefix.size()), &format)) {
    return absl::DataLossError(
        absl::StrCat(root, "/format does not say which format it is"));
  }
  if (format > kFormat) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the store ", root, " has format ", format, ", but this lamina knows ",
        kFormat, " only; use a newer lamina, or another store with --root"));
  }
  return absl::OkStatus();
}

// Afterwards `root` is a private folder of this user with a known format, and
// locked until the result goes.
absl::StatusOr<UniqueFd> PrepareRoot(const std::string& root) {
  std::string parent(DirName(root));
  if (!parent.empty() && !FileExists(root)) {
    RETURN_IF_ERROR(MakeDirs(parent));
  }
  if (mkdir(root.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(absl::StrCat("create the store ", root));
  }
  // A symlink is the administrator's business, but only his.
  struct stat link;
  if (lstat(root.c_str(), &link) != 0) {
    return ErrnoError(absl::StrCat("look at the store ", root));
  }
  if (S_ISLNK(link.st_mode) && link.st_uid != 0 && link.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat(
        "the store ", root, " is a symlink of user ", link.st_uid));
  }
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(root, O_RDONLY | O_DIRECTORY));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return ErrnoError(absl::StrCat("look at the store ", root));
  }
  RETURN_IF_ERROR(CheckOwner(root, info));
  // One process opens at a time: making the database and cleaning up leave no
  // room for two.
  RETURN_IF_ERROR(LockFile(fd.get(), LOCK_EX).status());
  absl::Status format = CheckFormat(root);
  if (absl::IsNotFound(format)) {
    format = WriteFormat(root);
  }
  RETURN_IF_ERROR(format);
  // Layers hold device nodes and setuid files: nobody else may come near.
  if ((info.st_mode & 07777) != 0700 && fchmod(fd.get(), 0700) != 0) {
    return ErrnoError(absl::StrCat("close the store ", root, " to others"));
  }
  return fd;
}

absl::Status MakeFolders(const std::string& root) {
  for (const char* name :
       {"blobs", "blobs/sha256", "layers", "containers", "quarantine", "tmp"}) {
    std::string path = JoinPath(root, name);
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrnoError(absl::StrCat("create folder ", path));
    }
  }
  return absl::OkStatus();
}

absl::Status OtherFormat(const std::string& root, int64_t version) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the database of the store ", root, " has format ", version,
      ", but this lamina knows ", kFormat, " only"));
}

absl::Status PrepareSchema(Database& database, const std::string& root) {
  ASSIGN_OR_RETURN(std::optional<int64_t> version,
                   database.AskInt("PRAGMA user_version"));
  if (version == kFormat) {
    return absl::OkStatus();
  }
  if (version > kFormat) {
    return OtherFormat(root, *version);
  }
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  ASSIGN_OR_RETURN(version, database.AskInt("PRAGMA user_version"));
  if (version == 0) {
    RETURN_IF_ERROR(database.RunScript(kSchema));
  }
  if (version < kFormat) {
    RETURN_IF_ERROR(database.RunScript(kFormat2));
  }
  return transaction.Commit();
}

int64_t WallClock() {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Store::Store(std::string root, Durability durability)
    : root_(std::move(root)), durability_(durability) {}

bool Store::Exists(const std::string& root) {
  return FileExists(JoinPath(root, "lamina.db"));
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& root,
                                                   Durability durability) {
  std::string clean = CleanPath(root);
  ASSIGN_OR_RETURN(UniqueFd opening, PrepareRoot(clean));
  RETURN_IF_ERROR(MakeFolders(clean));
  ASSIGN_OR_RETURN(UniqueFd in_use,
                   OpenFile(JoinPath(clean, "in-use"), O_RDWR | O_CREAT, 0600));
  RETURN_IF_ERROR(LockFile(in_use.get(), LOCK_SH).status());
  ASSIGN_OR_RETURN(Database database,
                   Database::Open(JoinPath(clean, "lamina.db")));
  RETURN_IF_ERROR(PrepareSchema(database, clean));
  ASSIGN_OR_RETURN(Instance instance, Instance::Create(JoinPath(clean, "tmp")));

  std::unique_ptr<Store> store(new Store(clean, durability));
  store->scratch_ = instance.folder();
  store->impl_ = std::make_unique<Impl>(std::move(database),
                                        std::move(instance), std::move(in_use));
  store->impl_->opened_ns = WallClock();
  RETURN_IF_ERROR(store->RecoverFromPowerLoss());
  RETURN_IF_ERROR(store->RecoverFromDeadProcesses());
  return store;
}

absl::StatusOr<std::unique_ptr<Store>> Store::OpenReadOnly(
    const std::string& root) {
  std::string clean = CleanPath(root);
  RETURN_IF_ERROR(CheckFormat(clean));
  ASSIGN_OR_RETURN(UniqueFd in_use,
                   OpenFile(JoinPath(clean, "in-use"), O_RDONLY));
  RETURN_IF_ERROR(LockFile(in_use.get(), LOCK_SH).status());
  ASSIGN_OR_RETURN(Database database,
                   Database::OpenReadOnly(JoinPath(clean, "lamina.db")));
  ASSIGN_OR_RETURN(std::optional<int64_t> version,
                   database.AskInt("PRAGMA user_version"));
  if (version.value_or(0) < 1 || version > kFormat) {
    return OtherFormat(clean, version.value_or(0));
  }
  std::unique_ptr<Store> store(new Store(clean, Durability::kNone));
  store->impl_ = std::make_unique<Impl>(std::move(database), Instance(),
                                        std::move(in_use));
  store->impl_->has_builds = version >= 2;
  return store;
}

Store::~Store() {
  if (impl_ == nullptr || scratch_.empty()) {
    return;  // Not opened, or only for reading.
  }
  // Nobody is left to hear of an error; unsynced records are only cache.
  Flush().IgnoreError();
  for (LayerId id : impl_->reserved) {
    RemoveTree(LayerFolder(id)).IgnoreError();
  }
  impl_->instance.Remove().IgnoreError();
}

void Store::EndUse() {
  std::lock_guard lock(impl_->mutex);
  if (impl_->reserved.empty()) {
    impl_->uses_layers = false;
    LockFile(impl_->in_use.get(), LOCK_UN).IgnoreError();
  }
}

absl::StatusOr<UniqueFd> Store::Lock(const Digest& key) {
  // One byte of one file, so that no lock files pile up. The lock belongs to
  // this open file: threads exclude each other, too.
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenFile(JoinPath(root_, "locks"), O_RDWR | O_CREAT, 0600));
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_len = 1;
  for (size_t i = 0; i < 7; ++i) {
    range.l_start = range.l_start << 8 | key.bytes[i];
  }
  while (fcntl(fd.get(), F_OFD_SETLKW, &range) != 0) {
    if (errno != EINTR) {
      return ErrnoError(absl::StrCat("lock ", root_, "/locks"));
    }
  }
  return fd;
}

}  // namespace lamina::backend
