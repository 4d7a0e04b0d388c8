// Reading everything in the store and naming what is broken.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

using Problems = std::vector<std::string>;

absl::StatusOr<bool> HasBytes(const std::string& path, const Digest& digest) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY | O_NOFOLLOW));
  ASSIGN_OR_RETURN(Digest actual, HashFile(fd.get()));
  return actual == digest;
}

// What is wrong with a file of an unpacked layer; empty when nothing is.
std::string CheckFile(int folder, const ir::Entry& entry) {
  absl::StatusOr<UniqueFd> fd =
      OpenBeneath(folder, entry.path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) {
    return "cannot be opened";
  }
  struct stat info;
  if (fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return "is no file";
  }
  if (static_cast<uint64_t>(info.st_size) != entry.size) {
    return absl::StrCat("has ", info.st_size, " bytes, not ", entry.size);
  }
  if (entry.digest.empty()) {
    return "";
  }
  absl::StatusOr<Digest> digest = HashFile(fd->get());
  return digest.ok() && *digest == entry.digest ? "" : "has other bytes";
}

std::string CheckEntry(int folder, const ir::Entry& entry) {
  if (entry.type == ir::EntryType::kFile) {
    return CheckFile(folder, entry);
  }
  if (entry.type == ir::EntryType::kWhiteout ||
      entry.type == ir::EntryType::kOpaque) {
    return "";  // How these are stored is not the store's business.
  }
  int how = O_PATH | O_NOFOLLOW;
  absl::StatusOr<UniqueFd> fd = OpenBeneath(folder, entry.path, how);
  struct stat info;
  if (!fd.ok() || fstat(fd->get(), &info) != 0) {
    return "is missing";
  }
  if (entry.type == ir::EntryType::kDirectory) {
    return S_ISDIR(info.st_mode) ? "" : "is no folder";
  }
  if (entry.type == ir::EntryType::kSymlink) {
    std::string target(entry.link.size() + 1, '\0');
    ssize_t got = readlinkat(fd->get(), "", target.data(), target.size());
    target.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return target == entry.link ? "" : "is another symlink";
  }
  return "";
}

void CheckLayer(Store& store, const Layer& layer, Problems& problems) {
  absl::StatusOr<ir::StepDiff> diff = store.ReadDiff(layer.id);
  if (!diff.ok()) {
    problems.push_back(
        absl::StrCat("layer ", layer.id, ": ", diff.status().message()));
    return;
  }
  if (!layer.unpacked) {
    return;
  }
  std::string folder = JoinPath(store.LayerFolder(layer.id), "fs");
  absl::StatusOr<UniqueFd> fd = OpenFile(folder, O_RDONLY | O_DIRECTORY);
  if (!fd.ok()) {
    problems.push_back(
        absl::StrCat("layer ", layer.id, ": ", folder, " is missing"));
    return;
  }
  for (const ir::Entry& entry : diff->entries) {
    std::string wrong = CheckEntry(fd->get(), entry);
    if (!wrong.empty()) {
      problems.push_back(absl::StrCat("layer ", layer.id, ": ", folder, "/",
                                      entry.path, " ", wrong));
    }
  }
}

absl::Status CheckDatabase(Database& database, Problems& problems) {
  ASSIGN_OR_RETURN(Query integrity, database.Ask("PRAGMA integrity_check"));
  ASSIGN_OR_RETURN(bool found, integrity.Next());
  if (!found || integrity.Text(0) != "ok") {
    problems.push_back(absl::StrCat("the database: ", integrity.Text(0)));
  }
  // Each question lists rows that name something that is not there.
  constexpr const char* kDangling[] = {
      "SELECT 'image ' || lower(hex(image)) || ' names layer ' || layer || "
      "', which has no record' FROM image_layers WHERE layer NOT IN "
      "(SELECT id FROM layers)",
      "SELECT 'tag ' || name || ' names an image without a record' FROM tags "
      "WHERE image NOT IN (SELECT id FROM images)",
      "SELECT 'step ' || lower(hex(key)) || ' names layer ' || layer || "
      "', which has no record' FROM steps WHERE layer IS NOT NULL AND "
      "layer NOT IN (SELECT id FROM layers)",
      "SELECT 'container ' || container || ' names layer ' || layer || "
      "', which has no record' FROM container_layers WHERE layer NOT IN "
      "(SELECT id FROM layers)"};
  for (const char* sql : kDangling) {
    ASSIGN_OR_RETURN(Query query, database.Ask(sql));
    ASSIGN_OR_RETURN(bool more, query.Next());
    while (more) {
      problems.push_back(query.Text(0));
      ASSIGN_OR_RETURN(more, query.Next());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Layer>> AllLayers(Database& database) {
  ASSIGN_OR_RETURN(
      Query query,
      database.Ask("SELECT id, chain, diff_id, size, unpacked FROM layers"));
  std::vector<Layer> layers;
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return layers;
    }
    layers.push_back(LayerFromRow(query));
  }
}

absl::StatusOr<std::vector<Digest>> AllBlobs(Database& database) {
  ASSIGN_OR_RETURN(
      Query query,
      database.Ask("SELECT digest FROM layer_blobs UNION SELECT id FROM "
                   "images UNION SELECT content FROM remotes WHERE commit_id "
                   "= ''"));
  std::vector<Digest> blobs;
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return blobs;
    }
    blobs.push_back(query.GetDigest(0));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Store::Verify() {
  Problems problems;
  std::vector<Layer> layers;
  std::vector<Digest> blobs;
  {
    std::lock_guard lock(impl_->mutex);
    RETURN_IF_ERROR(CheckDatabase(impl_->database, problems));
    ASSIGN_OR_RETURN(layers, AllLayers(impl_->database));
    ASSIGN_OR_RETURN(blobs, AllBlobs(impl_->database));
  }
  for (const Digest& blob : blobs) {
    absl::StatusOr<bool> good = HasBytes(BlobPath(blob), blob);
    if (!good.ok() || !*good) {
      problems.push_back(absl::StrCat(
          "blob ", blob.ToString(), good.ok() ? " has other bytes" : ": ",
          good.ok() ? "" : good.status().message()));
    }
  }
  for (const Layer& layer : layers) {
    CheckLayer(*this, layer, problems);
  }
  return problems;
}

}  // namespace lamina::backend
