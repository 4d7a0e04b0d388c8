#include "backend/container.h"

#include <fcntl.h>

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/formats/chain.h"
#include "backend/formats/formats.h"
#include "backend/layer_writer.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "ir/layout/tree.h"

namespace lamina::backend {
namespace {

// The folders of the image's layers, bottom to top.
absl::StatusOr<std::vector<std::string>> LayerFolders(const Image& image,
                                                      Store& store) {
  std::vector<std::string> folders;
  std::vector<LayerId> below;
  for (LayerId layer : image.layers) {
    ASSIGN_OR_RETURN(std::string folder, EnsureUnpacked(layer, below, store));
    folders.push_back(std::move(folder));
    below.push_back(layer);
  }
  return folders;
}

absl::StatusOr<ir::Tree> FoldLayers(const Image& image, Store& store) {
  ir::Tree tree;
  for (LayerId layer : image.layers) {
    ASSIGN_OR_RETURN(ir::StepDiff diff, store.ReadDiff(layer));
    tree.Apply(diff);
  }
  return tree;
}

std::string UpperFolder(const Container& container, const Store& store) {
  return JoinPath(store.ContainerFolder(container.id), "upper");
}

// What the container changed.
absl::StatusOr<ir::StepDiff> ReadChanges(const Container& container,
                                         const Image& image, Store& store) {
  ASSIGN_OR_RETURN(std::vector<std::string> folders,
                   LayerFolders(image, store));
  ASSIGN_OR_RETURN(ir::Tree tree, FoldLayers(image, store));
  return ScanUpper(UpperFolder(container, store), tree, folders);
}

struct NewLayer {
  LayerId id = 0;
  Digest diff_id;
};

// Writes the tar of `diff`, whose bytes are in the folder `upper`, and names
// it as the layer above `below`.
absl::StatusOr<NewLayer> StoreChanges(ir::StepDiff& diff,
                                      const std::string& upper,
                                      const std::vector<LayerId>& below,
                                      Store& store) {
  ASSIGN_OR_RETURN(TempDir scratch, TempDir::Create(store.scratch()));
  const std::string file = JoinPath(scratch.path(), "layer.tar");
  ASSIGN_OR_RETURN(UniqueFd root, OpenFile(upper, O_PATH | O_DIRECTORY));
  OpenContent open = [&root](const ir::Entry& entry) {
    return OpenBeneath(root.get(), entry.path, O_RDONLY | O_NOFOLLOW);
  };
  ASSIGN_OR_RETURN(LayerBlob blob,
                   WriteLayer(diff, open, LayerWriterOptions(), file));
  RETURN_IF_ERROR(store.PublishBlob(file, blob.digest));
  Digest chain;
  if (!below.empty()) {
    ASSIGN_OR_RETURN(Layer parent, store.GetLayer(below.back()));
    chain = parent.chain;
  }
  chain = ChainId(chain, blob.diff_id);
  ASSIGN_OR_RETURN(std::optional<Layer> layer, store.FindLayer(chain));
  if (!layer.has_value()) {
    ASSIGN_OR_RETURN(LayerId reserved, store.ReserveLayer());
    ASSIGN_OR_RETURN(layer, store.AddLayer(reserved, chain, diff,
                                           /*unpacked=*/false));
  }
  RETURN_IF_ERROR(store.SetBlob(layer->id, blob, &diff));
  return NewLayer{layer->id, blob.diff_id};
}

}  // namespace

absl::Status SetContainerRoot(const Image& image, const Container& container,
                              Store& store, runtime::SandboxSpec& spec) {
  ASSIGN_OR_RETURN(std::vector<std::string> folders,
                   LayerFolders(image, store));
  spec.lower_base = store.LayersFolder();
  const std::string prefix = absl::StrCat(spec.lower_base, "/");
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    CHECK(absl::StartsWith(*folder, prefix));
    spec.lowers.push_back(folder->substr(prefix.size()));
  }
  spec.upper = UpperFolder(container, store);
  spec.work = JoinPath(store.ContainerFolder(container.id), "work");
  return absl::OkStatus();
}

absl::StatusOr<Image> CommitContainer(const Container& container,
                                      const CommitOptions& options,
                                      Store& store) {
  ASSIGN_OR_RETURN(Image image, store.GetImage(container.image));
  ASSIGN_OR_RETURN(ir::StepDiff diff, ReadChanges(container, image, store));
  ir::ImageDocument document = image.document;
  document.config = options.config;
  document.created = ir::FormatTime(options.created);
  std::vector<LayerId> layers = image.layers;
  // Docker records the command that the container ran.
  absl::StatusOr<Json> command = ParseJson(container.command);
  document.history.push_back(
      {.created = document.created,
       .created_by = command.ok() ? absl::StrJoin(command->strings(), " ") : "",
       .author = options.config.author,
       .comment = options.message,
       .empty_layer = diff.entries.empty()});
  if (!diff.entries.empty()) {
    ASSIGN_OR_RETURN(
        NewLayer layer,
        StoreChanges(diff, UpperFolder(container, store), layers, store));
    layers.push_back(layer.id);
    document.diff_ids.push_back(layer.diff_id);
  }
  return store.AddImage(ir::PrintImageDocument(document), layers,
                        options.names);
}

}  // namespace lamina::backend
