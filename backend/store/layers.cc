// Layers: a folder each, and a row that says it is complete.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "backend/store/store_impl.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// Ids are taken in batches, as each batch is a transaction.
constexpr LayerId kIdBatch = 32;

absl::Status WriteDiff(const std::string& folder, const std::string& text) {
  std::string path = JoinPath(folder, "diff");
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return Annotate(WriteAll(fd.get(), text), path);
}

absl::Status MissingLayer(LayerId id) {
  return absl::NotFoundError(absl::StrCat(
      "layer ", id, " is missing from the store; rebuild with --no-cache"));
}

LayerBlob BlobFromRow(const Query& row) {
  return {.diff_id = row.GetDigest(0),
          .digest = row.GetDigest(1),
          .size = static_cast<uint64_t>(row.Int(2)),
          .tar_size = static_cast<uint64_t>(row.Int(3)),
          .compression = static_cast<Compression>(row.Int(4))};
}

// True when the stored form is still there, as far as stat(2) sees.
bool IsStored(const Store& store, const LayerBlob& blob) {
  struct stat info;
  return stat(store.BlobPath(blob.digest).c_str(), &info) == 0 &&
         static_cast<uint64_t>(info.st_size) == blob.size;
}

}  // namespace

Layer LayerFromRow(const Query& row) {
  Layer layer = {.id = row.Int(0),
                 .chain = row.GetDigest(1),
                 .size = static_cast<uint64_t>(row.Int(3)),
                 .unpacked = row.Int(4) != 0};
  if (!row.IsNull(2)) {
    layer.diff_id = row.GetDigest(2);
  }
  return layer;
}

absl::StatusOr<std::optional<Layer>> Store::Impl::FindLayerRow(
    const Digest& chain) {
  ASSIGN_OR_RETURN(
      Query query,
      database.Ask("SELECT id, chain, diff_id, size, unpacked FROM layers "
                   "WHERE chain = ?",
                   chain));
  ASSIGN_OR_RETURN(bool found, query.Next());
  return found ? std::optional(LayerFromRow(query)) : std::nullopt;
}

absl::StatusOr<std::optional<Layer>> Store::Impl::FindLayerRow(LayerId id) {
  ASSIGN_OR_RETURN(
      Query query,
      database.Ask("SELECT id, chain, diff_id, size, unpacked FROM layers "
                   "WHERE id = ?",
                   id));
  ASSIGN_OR_RETURN(bool found, query.Next());
  return found ? std::optional(LayerFromRow(query)) : std::nullopt;
}

std::string Store::CachesFolder() const { return JoinPath(root_, "caches"); }

std::string Store::LayersFolder() const { return JoinPath(root_, "layers"); }

std::string Store::LayerFolder(LayerId id) const {
  return absl::StrCat(root_, "/layers/", id);
}

absl::StatusOr<LayerId> Store::Impl::NextLayerId() {
  if (free_ids.first > free_ids.last) {
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
    ASSIGN_OR_RETURN(std::optional<int64_t> next,
                     database.AskInt("SELECT CAST(value AS INTEGER) FROM meta "
                                     "WHERE name = 'next_layer'"));
    IdRange batch = {next.value_or(1), next.value_or(1) + kIdBatch - 1};
    RETURN_IF_ERROR(database.Run(
        "INSERT OR REPLACE INTO meta VALUES('next_layer', ?)", batch.last + 1));
    // Before the commit: folders that nobody claims would stay forever.
    RETURN_IF_ERROR(instance.NoteReserved(batch.first, batch.last));
    RETURN_IF_ERROR(transaction.Commit());
    free_ids = batch;
  }
  return free_ids.first++;
}

absl::StatusOr<LayerId> Store::ReserveLayer() {
  std::lock_guard lock(impl_->mutex);
  CHECK(impl_->uses_layers);
  while (true) {
    ASSIGN_OR_RETURN(LayerId id, impl_->NextLayerId());
    if (mkdir(LayerFolder(id).c_str(), 0700) == 0) {
      impl_->reserved.insert(id);
      return id;
    }
    if (errno != EEXIST) {
      return ErrnoError(absl::StrCat("create folder ", LayerFolder(id)));
    }
  }
}

absl::StatusOr<Layer> Store::AddLayer(LayerId reserved, const Digest& chain,
                                      const ir::StepDiff& diff, bool unpacked) {
  std::string text = ir::PrintStepDiff(diff);
  RETURN_IF_ERROR(WriteDiff(LayerFolder(reserved), text));
  std::unique_lock lock(impl_->mutex);
  CHECK(impl_->reserved.contains(reserved));
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::Begin(impl_->database));
  ASSIGN_OR_RETURN(std::optional<Layer> known, impl_->FindLayerRow(chain));
  if (!known.has_value()) {
    RETURN_IF_ERROR(impl_->database.Run(
        "INSERT INTO layers(id, chain, unpacked) VALUES(?, ?, ?)", reserved,
        chain, unpacked));
    RETURN_IF_ERROR(NoteUnsynced("layer", reserved));
    RETURN_IF_ERROR(transaction.Commit());
    impl_->reserved.erase(reserved);
    return Layer{.id = reserved, .chain = chain, .unpacked = unpacked};
  }
  RETURN_IF_ERROR(transaction.Commit());
  lock.unlock();
  return MergeReserved(reserved, *known, text, unpacked);
}

absl::StatusOr<Layer> Store::MergeReserved(LayerId reserved, Layer known,
                                           const std::string& diff,
                                           bool unpacked) {
  ASSIGN_OR_RETURN(bool present, CheckPresent(known));
  std::string folder = LayerFolder(reserved);
  std::string other = LayerFolder(known.id);
  if (!present) {
    RETURN_IF_ERROR(ReplaceLayer(reserved, known.id, unpacked));
    known.unpacked = unpacked;
  } else if (unpacked && !known.unpacked) {
    // Two runs of one step may differ: only the same files may be merged.
    absl::StatusOr<std::string> text = ReadFile(JoinPath(other, "diff"));
    if (text.ok() && *text == diff &&
        rename(JoinPath(folder, "fs").c_str(), JoinPath(other, "fs").c_str()) ==
            0) {
      RETURN_IF_ERROR(SetUnpacked(known.id));
      known.unpacked = true;
    }
  }
  RETURN_IF_ERROR(RemoveTree(folder));
  std::lock_guard lock(impl_->mutex);
  impl_->reserved.erase(reserved);
  return known;
}

// Heals a layer whose folder was damaged: the records that name it stay right.
absl::Status Store::ReplaceLayer(LayerId reserved, LayerId known,
                                 bool unpacked) {
  RETURN_IF_ERROR(RemoveTree(LayerFolder(known)));
  if (rename(LayerFolder(reserved).c_str(), LayerFolder(known).c_str()) != 0 &&
      errno != ENOTEMPTY && errno != EEXIST) {  // Another process was faster.
    return ErrnoError(absl::StrCat("restore layer ", known));
  }
  // The record is durable already, its new data is not.
  if (durability_ != Durability::kNone) {
    RETURN_IF_ERROR(SyncFiles());
  }
  std::lock_guard lock(impl_->mutex);
  return impl_->database.Run("UPDATE layers SET unpacked = ? WHERE id = ?",
                             unpacked, known);
}

absl::StatusOr<bool> Store::CheckPresent(Layer& layer) {
  std::string folder = LayerFolder(layer.id);
  if (access(JoinPath(folder, "diff").c_str(), F_OK) != 0) {
    return false;
  }
  if (layer.unpacked && access(JoinPath(folder, "fs").c_str(), F_OK) != 0) {
    layer.unpacked = false;
    if (!layer.diff_id.has_value()) {
      return false;
    }
    ASSIGN_OR_RETURN(std::optional<LayerBlob> blob,
                     FindAnyBlob(*layer.diff_id));
    return blob.has_value();
  }
  return true;
}

absl::StatusOr<std::optional<Layer>> Store::FindLayer(const Digest& chain) {
  std::unique_lock lock(impl_->mutex);
  ASSIGN_OR_RETURN(std::optional<Layer> layer, impl_->FindLayerRow(chain));
  lock.unlock();
  if (layer.has_value()) {
    ASSIGN_OR_RETURN(bool present, CheckPresent(*layer));
    return present ? layer : std::nullopt;
  }
  return layer;
}

absl::StatusOr<Layer> Store::GetLayer(LayerId id) {
  std::unique_lock lock(impl_->mutex);
  ASSIGN_OR_RETURN(std::optional<Layer> layer, impl_->FindLayerRow(id));
  lock.unlock();
  if (!layer.has_value()) {
    return MissingLayer(id);
  }
  ASSIGN_OR_RETURN(bool present, CheckPresent(*layer));
  return present ? absl::StatusOr<Layer>(*layer) : MissingLayer(id);
}

absl::StatusOr<ir::StepDiff> Store::ReadDiff(LayerId id) {
  absl::StatusOr<std::string> text =
      ReadFile(JoinPath(LayerFolder(id), "diff"));
  if (absl::IsNotFound(text.status())) {
    return MissingLayer(id);
  }
  RETURN_IF_ERROR(text.status());
  absl::StatusOr<ir::StepDiff> diff = ir::ParseStepDiff(*text);
  return diff.ok() ? std::move(diff)
                   : Annotate(diff.status(), JoinPath(LayerFolder(id), "diff"));
}

absl::Status Store::SetUnpacked(LayerId id) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::Begin(impl_->database));
  RETURN_IF_ERROR(
      impl_->database.Run("UPDATE layers SET unpacked = 1 WHERE id = ?", id));
  if (impl_->database.changed_rows() == 0) {
    return MissingLayer(id);
  }
  RETURN_IF_ERROR(NoteUnsynced("unpacked", id));
  return transaction.Commit();
}

absl::Status Store::PublishUnpacked(LayerId id, const std::string& folder) {
  std::string to = JoinPath(LayerFolder(id), "fs");
  if (rename(folder.c_str(), to.c_str()) == 0) {
    return SetUnpacked(id);
  }
  // Another process unpacked the same layer.
  if (errno == ENOTEMPTY || errno == EEXIST) {
    RETURN_IF_ERROR(SetUnpacked(id));
    return RemoveTree(folder);
  }
  return ErrnoError(absl::StrCat("move ", folder, " to ", to));
}

absl::Status Store::SetBlob(LayerId id, const LayerBlob& blob,
                            const ir::StepDiff* diff) {
  std::unique_lock lock(impl_->mutex);
  ASSIGN_OR_RETURN(
      std::optional<int64_t> in_image,
      impl_->database.AskInt("SELECT 1 FROM image_layers WHERE layer = ?", id));
  lock.unlock();
  if (diff != nullptr) {
    // An image must keep its layers, so power loss may not cost this file;
    // any other layer is dropped then, as it is listed as unsynced.
    bool durable = in_image.has_value() && durability_ != Durability::kNone;
    RETURN_IF_ERROR(ReplaceFile(JoinPath(LayerFolder(id), "diff"),
                                ir::PrintStepDiff(*diff), 0600, durable));
  }
  lock.lock();
  ASSIGN_OR_RETURN(Transaction transaction,
                   Transaction::Begin(impl_->database));
  RETURN_IF_ERROR(impl_->database.Run(
      "UPDATE layers SET diff_id = ?, size = ? WHERE id = ?", blob.diff_id,
      blob.tar_size, id));
  if (impl_->database.changed_rows() == 0) {
    return MissingLayer(id);
  }
  RETURN_IF_ERROR(impl_->database.Run(
      "INSERT OR REPLACE INTO layer_blobs(diff_id, digest, size, tar_size, "
      "compression) VALUES(?, ?, ?, ?, ?)",
      blob.diff_id, blob.digest, blob.size, blob.tar_size,
      static_cast<int>(blob.compression)));
  if (diff != nullptr && !in_image.has_value()) {
    RETURN_IF_ERROR(NoteUnsynced("layer", id));
  }
  RETURN_IF_ERROR(NoteUnsynced("blob", blob.digest));
  return transaction.Commit();
}

absl::StatusOr<std::optional<LayerBlob>> Store::FindBlob(
    const Digest& diff_id, Compression compression) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(
      Query query,
      impl_->database.Ask(
          "SELECT diff_id, digest, size, tar_size, compression FROM "
          "layer_blobs WHERE diff_id = ? AND compression = ?",
          diff_id, static_cast<int>(compression)));
  ASSIGN_OR_RETURN(bool found, query.Next());
  if (!found || !IsStored(*this, BlobFromRow(query))) {
    return std::nullopt;
  }
  return BlobFromRow(query);
}

absl::StatusOr<std::optional<LayerBlob>> Store::FindAnyBlob(
    const Digest& diff_id) {
  std::lock_guard lock(impl_->mutex);
  ASSIGN_OR_RETURN(
      Query query,
      impl_->database.Ask(
          "SELECT diff_id, digest, size, tar_size, compression FROM "
          "layer_blobs WHERE diff_id = ? ORDER BY compression",
          diff_id));
  while (true) {
    ASSIGN_OR_RETURN(bool found, query.Next());
    if (!found) {
      return std::nullopt;
    }
    if (IsStored(*this, BlobFromRow(query))) {
      return BlobFromRow(query);
    }
  }
}

}  // namespace lamina::backend
