// Blobs: files named by their digest. What is there is complete, as files are
// renamed into place.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

absl::Status MissingBlob(const Digest& digest) {
  return absl::NotFoundError(absl::StrCat(
      "blob ", digest.ToString(),
      " is missing from the store; build or load the image again"));
}

}  // namespace

std::string Store::BlobPath(const Digest& digest) const {
  return absl::StrCat(root_, "/blobs/sha256/", digest.hex());
}

bool Store::HasBlob(const Digest& digest) const {
  return FileExists(BlobPath(digest));
}

std::string Store::ScratchFile() {
  std::lock_guard lock(impl_->mutex);
  return absl::StrCat(scratch_, "/store.", ++impl_->names);
}

absl::Status Store::PublishBlob(const std::string& file, const Digest& digest) {
  std::string path = BlobPath(digest);
  struct stat known;
  struct stat fresh;
  if (stat(file.c_str(), &fresh) != 0) {
    return ErrnoError(absl::StrCat("find ", file));
  }
  // Another size means that the known file was damaged.
  if (stat(path.c_str(), &known) == 0 && known.st_size == fresh.st_size) {
    unlink(file.c_str());
    return absl::OkStatus();
  }
  if (chmod(file.c_str(), 0600) != 0 ||
      rename(file.c_str(), path.c_str()) != 0) {
    return ErrnoError(absl::StrCat("move ", file, " to ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<Digest> Store::AddBlob(absl::string_view bytes) {
  Digest digest = Sha256(bytes);
  std::string file = ScratchFile();
  {
    ASSIGN_OR_RETURN(UniqueFd fd,
                     OpenFile(file, O_WRONLY | O_CREAT | O_EXCL, 0600));
    absl::Status written = WriteAll(fd.get(), bytes);
    if (!written.ok()) {
      unlink(file.c_str());
      return Annotate(written, file);
    }
  }
  RETURN_IF_ERROR(PublishBlob(file, digest));
  return digest;
}

absl::StatusOr<UniqueFd> Store::OpenBlob(const Digest& digest) {
  absl::StatusOr<UniqueFd> fd =
      OpenFile(BlobPath(digest), O_RDONLY | O_NOFOLLOW);
  return absl::IsNotFound(fd.status()) ? MissingBlob(digest) : std::move(fd);
}

absl::StatusOr<std::string> Store::ReadBlob(const Digest& digest,
                                            size_t limit) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenBlob(digest));
  absl::StatusOr<std::string> bytes = ReadAll(fd.get(), limit);
  if (!bytes.ok()) {
    return Annotate(bytes.status(), BlobPath(digest));
  }
  if (Sha256(*bytes) != digest) {
    RETURN_IF_ERROR(Quarantine(digest));
    return absl::DataLossError(
        absl::StrCat("blob ", digest.ToString(), " was damaged and is now in ",
                     root_, "/quarantine; build or load the image again"));
  }
  return bytes;
}

absl::StatusOr<bool> Store::CheckBlob(const Digest& digest) {
  if (!HasBlob(digest)) {
    return false;
  }
  ASSIGN_OR_RETURN(UniqueFd fd, OpenBlob(digest));
  ASSIGN_OR_RETURN(Digest found, HashFile(fd.get()));
  if (found == digest) {
    return true;
  }
  RETURN_IF_ERROR(Quarantine(digest));
  return false;
}

absl::Status Store::Quarantine(const Digest& digest) {
  {
    std::lock_guard lock(impl_->mutex);
    RETURN_IF_ERROR(impl_->database.Run(
        "DELETE FROM layer_blobs WHERE digest = ?", digest));
    RETURN_IF_ERROR(impl_->database.Run(
        "DELETE FROM remotes WHERE content = ?", digest));
  }
  std::string to = absl::StrCat(root_, "/quarantine/", digest.hex());
  if (rename(BlobPath(digest).c_str(), to.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError(
        absl::StrCat("move ", BlobPath(digest), " to quarantine"));
  }
  return absl::OkStatus();
}

}  // namespace lamina::backend
