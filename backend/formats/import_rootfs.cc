// A root file system from outside as an image of one layer.
#include <fcntl.h>

#include "backend/formats/chain.h"
#include "backend/formats/formats.h"
#include "backend/formats/hashing_source.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

absl::StatusOr<ir::StepDiff> Unpack(ByteSource& tar, const std::string& path) {
  std::string format;
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> plain,
                   Decompress(std::make_unique<BorrowedSource>(tar), &format));
  RETURN_IF_ERROR(UnpackLayer(*plain, {}, {}, path).status());
  // Read back from disk: in canonical order, whatever the order of the tar.
  return ScanUpper(path, {}, {});
}

// The image of the layer whose folder is unpacked at `folder`.
absl::StatusOr<LayerId> AddRootLayer(ir::StepDiff& diff,
                                     const std::string& folder, Store& store,
                                     LayerBlob& blob) {
  std::string file = folder + ".tar";
  ASSIGN_OR_RETURN(UniqueFd root, OpenFile(folder, O_PATH | O_DIRECTORY));
  OpenContent open = [&](const ir::Entry& entry) {
    return OpenBeneath(root.get(), entry.path, O_RDONLY | O_NOFOLLOW);
  };
  ASSIGN_OR_RETURN(blob, WriteLayer(diff, open, LayerWriterOptions(), file));
  RETURN_IF_ERROR(store.PublishBlob(file, blob.digest));
  Digest chain = ChainId({}, blob.diff_id);
  ASSIGN_OR_RETURN(std::optional<Layer> layer, store.FindLayer(chain));
  if (!layer.has_value()) {
    ASSIGN_OR_RETURN(LayerId reserved, store.ReserveLayer());
    ASSIGN_OR_RETURN(layer, store.AddLayer(reserved, chain, diff,
                                           /*unpacked=*/false));
  }
  RETURN_IF_ERROR(store.SetBlob(layer->id, blob, &diff));
  if (!layer->unpacked) {
    RETURN_IF_ERROR(store.PublishUnpacked(layer->id, folder));
  }
  return layer->id;
}

absl::StatusOr<Image> Import(ByteSource& tar, Store& store,
                             const std::string& folder,
                             ir::ImageDocument document,
                             const std::vector<ir::ImageReference>& names) {
  ASSIGN_OR_RETURN(ir::StepDiff diff, Unpack(tar, folder));
  LayerBlob blob;
  ASSIGN_OR_RETURN(LayerId layer, AddRootLayer(diff, folder, store, blob));
  document.diff_ids = {blob.diff_id};
  return store.AddImage(ir::PrintImageDocument(document), {layer}, names);
}

}  // namespace

absl::StatusOr<Image> ImportRootFs(ByteSource& tar, Store& store,
                                   const ir::ImageConfig& config,
                                   const std::string& message,
                                   const std::vector<ir::ImageReference>& names,
                                   int64_t created) {
  ASSIGN_OR_RETURN(TempDir scratch, TempDir::Create(store.scratch()));
  ir::ImageDocument document = {.created = ir::FormatTime(created),
                                .config = config};
  document.history.push_back({.created = document.created, .comment = message});
  absl::StatusOr<Image> image =
      Import(tar, store, JoinPath(scratch.path(), "root"), document, names);
  RETURN_IF_ERROR(
      Annotate(image.status(), "while importing the root file system"));
  return image;
}

}  // namespace lamina::backend
