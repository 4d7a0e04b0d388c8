// The two forms of a layer, tar and folder, each made from the other when it
// is first wanted.
#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <set>

#include "backend/formats/formats.h"
#include "backend/formats/hashing_source.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {

namespace {

std::string UnpackedFolder(LayerId layer, const Store& store) {
  return JoinPath(store.LayerFolder(layer), "fs");
}

absl::StatusOr<LayerBlob> WriteFromFolder(const Layer& layer, Store& store,
                                          const LayerWriterOptions& options,
                                          const std::string& path) {
  if (!layer.unpacked) {
    return absl::DataLossError(absl::StrCat(
        "layer ", layer.chain.ToString(),
        " has neither a tar nor a folder; rebuild with --no-cache"));
  }
  ASSIGN_OR_RETURN(UniqueFd root, OpenFile(UnpackedFolder(layer.id, store),
                                           O_PATH | O_DIRECTORY));
  OpenContent open = [&](const ir::Entry& entry) {
    return OpenBeneath(root.get(), entry.path, O_RDONLY | O_NOFOLLOW);
  };
  ASSIGN_OR_RETURN(ir::StepDiff diff, store.ReadDiff(layer.id));
  ASSIGN_OR_RETURN(LayerBlob blob, WriteLayer(diff, open, options, path));
  if (layer.diff_id.has_value() && *layer.diff_id != blob.diff_id) {
    return absl::DataLossError(absl::StrCat(
        "the folder of layer ", layer.diff_id->ToString(), " was changed"));
  }
  RETURN_IF_ERROR(store.PublishBlob(path, blob.digest));
  RETURN_IF_ERROR(store.SetBlob(layer.id, blob, &diff));
  return blob;
}

// True when a hard link of the layer names a file of a lower one.
bool NeedsLowerBytes(const ir::StepDiff& diff) {
  std::set<std::string> files;
  for (const ir::Entry& entry : diff.entries) {
    if (entry.type != ir::EntryType::kWhiteout &&
        entry.type != ir::EntryType::kOpaque) {
      files.insert(entry.path);
    }
  }
  return std::any_of(diff.entries.begin(), diff.entries.end(),
                     [&](const ir::Entry& entry) {
                       return entry.type == ir::EntryType::kHardLink &&
                              files.count(entry.link) == 0;
                     });
}

// Unpacks the tar of `layer` into the new folder `path`.
absl::Status UnpackBlob(const Layer& layer, const ir::Tree& below,
                        const std::vector<std::string>& lower_folders,
                        Store& store, const std::string& path) {
  std::optional<LayerBlob> blob;
  if (layer.diff_id.has_value()) {
    ASSIGN_OR_RETURN(blob, store.FindAnyBlob(*layer.diff_id));
  }
  if (!blob.has_value()) {
    return absl::DataLossError(absl::StrCat("layer ", layer.chain.ToString(),
                                            " is missing from the store"));
  }
  ASSIGN_OR_RETURN(UniqueFd fd, store.OpenBlob(blob->digest));
  std::string format;
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> plain,
                   Decompress(MakeFdSource(fd.get()), &format));
  HashingSource hashed(*plain);
  RETURN_IF_ERROR(UnpackLayer(hashed, below, lower_folders, path).status());
  RETURN_IF_ERROR(hashed.Drain());
  if (Digest found = hashed.Finish(); found != blob->diff_id) {
    return absl::DataLossError(absl::StrCat(
        "blob ", blob->digest.ToString(), " is damaged: its tar is ",
        found.ToString(), " instead of ", blob->diff_id.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LayerBlob> EnsureBlob(LayerId id, Store& store,
                                     const LayerWriterOptions& options) {
  ASSIGN_OR_RETURN(Layer layer, store.GetLayer(id));
  ASSIGN_OR_RETURN(UniqueFd lock, store.Lock(layer.chain));
  // Again: whoever held the lock may have made it.
  ASSIGN_OR_RETURN(layer, store.GetLayer(id));
  std::string path = JoinPath(
      store.scratch(),
      absl::StrCat("blob-", id, "-", CompressionName(options.compression)));
  if (!layer.diff_id.has_value()) {
    return WriteFromFolder(layer, store, options, path);
  }
  ASSIGN_OR_RETURN(std::optional<LayerBlob> blob,
                   store.FindBlob(*layer.diff_id, options.compression));
  if (blob.has_value() && store.HasBlob(blob->digest)) {
    return *blob;
  }
  ASSIGN_OR_RETURN(blob, store.FindAnyBlob(*layer.diff_id));
  if (!blob.has_value() || !store.HasBlob(blob->digest)) {
    return WriteFromFolder(layer, store, options, path);
  }
  ASSIGN_OR_RETURN(UniqueFd source, store.OpenBlob(blob->digest));
  ASSIGN_OR_RETURN(LayerBlob made,
                   RecompressLayer(source.get(), options, path));
  if (made.diff_id != *layer.diff_id) {
    return absl::DataLossError(
        absl::StrCat("blob ", blob->digest.ToString(), " is damaged"));
  }
  RETURN_IF_ERROR(store.PublishBlob(path, made.digest));
  RETURN_IF_ERROR(store.SetBlob(id, made, nullptr));
  return made;
}

absl::StatusOr<std::string> EnsureUnpacked(LayerId id,
                                           const std::vector<LayerId>& below,
                                           Store& store) {
  ASSIGN_OR_RETURN(Layer layer, store.GetLayer(id));
  if (layer.unpacked) {
    return UnpackedFolder(id, store);
  }
  // Lower layers before our own lock, so that two processes lock in one order.
  ASSIGN_OR_RETURN(ir::StepDiff diff, store.ReadDiff(id));
  bool needs_bytes = NeedsLowerBytes(diff);
  ir::Tree tree;
  std::vector<std::string> lower_folders;
  for (size_t i = 0; i < below.size(); ++i) {
    ASSIGN_OR_RETURN(ir::StepDiff lower, store.ReadDiff(below[i]));
    tree.Apply(lower);
    if (needs_bytes) {
      std::vector<LayerId> lowest(below.begin(), below.begin() + i);
      ASSIGN_OR_RETURN(std::string folder,
                       EnsureUnpacked(below[i], lowest, store));
      lower_folders.push_back(std::move(folder));
    }
  }
  ASSIGN_OR_RETURN(UniqueFd lock, store.Lock(layer.chain));
  ASSIGN_OR_RETURN(layer, store.GetLayer(id));
  if (!layer.unpacked) {
    std::string path = JoinPath(store.scratch(), absl::StrCat("unpack-", id));
    RETURN_IF_ERROR(Annotate(
        UnpackBlob(layer, tree, lower_folders, store, path),
        absl::StrCat("while unpacking layer ", layer.chain.ToString())));
    RETURN_IF_ERROR(store.PublishUnpacked(id, path));
  }
  return UnpackedFolder(id, store);
}

}  // namespace lamina::backend
