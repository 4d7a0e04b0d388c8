#include "backend/container.h"

#include <fcntl.h>
#include <sys/random.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/formats/formats.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "ir/layout/tree.h"

namespace lamina::backend {
namespace {

absl::StatusOr<std::string> RandomId() {
  std::string bytes(32, '\0');
  if (getrandom(bytes.data(), bytes.size(), 0) !=
      static_cast<ssize_t>(bytes.size())) {
    return ErrnoError("get random bytes");
  }
  return absl::BytesToHexString(bytes);
}

std::vector<std::string> Arguments(const Image& image,
                                   const ContainerOptions& options) {
  const ir::ImageConfig& config = image.document.config;
  std::vector<std::string> args =
      options.replace_entrypoint ? options.entrypoint : config.entrypoint;
  // A new entrypoint drops the image's command, as docker does.
  bool keep_cmd = options.command.empty() && !options.replace_entrypoint;
  const std::vector<std::string>& rest =
      keep_cmd ? config.cmd : options.command;
  args.insert(args.end(), rest.begin(), rest.end());
  return args;
}

absl::StatusOr<std::vector<std::string>> Folders(const Image& image,
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

}  // namespace

absl::StatusOr<Container> CreateContainer(const Image& image,
                                          const std::string& image_name,
                                          const std::string& name,
                                          const ContainerOptions& options,
                                          int64_t now, Store& store) {
  std::vector<std::string> args = Arguments(image, options);
  if (args.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "image `", image_name,
        "` has no command of its own; name one after the image"));
  }
  Container container;
  ASSIGN_OR_RETURN(container.id, RandomId());
  container.name = name.empty() ? container.id.substr(0, 12) : name;
  container.image = image.id;
  container.image_name = image_name;
  container.command = PrintJson(Json::Strings(args));
  container.created = now;
  container.state = "created";
  ASSIGN_OR_RETURN(container, store.AddContainer(std::move(container)));
  std::string folder = store.ContainerFolder(container.id);
  RETURN_IF_ERROR(MakeDirs(JoinPath(folder, "upper")));
  RETURN_IF_ERROR(MakeDirs(JoinPath(folder, "work")));
  return container;
}

absl::StatusOr<runtime::SandboxSpec> ContainerSandbox(
    const Container& container, const Image& image,
    const ContainerOptions& options, Store& store) {
  const ir::ImageConfig& config = image.document.config;
  runtime::SandboxSpec spec;
  ASSIGN_OR_RETURN(std::vector<std::string> folders, Folders(image, store));
  spec.lower_base = store.LayersFolder();
  std::string prefix = absl::StrCat(spec.lower_base, "/");
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    CHECK(absl::StartsWith(*folder, prefix));
    spec.lowers.push_back(folder->substr(prefix.size()));
  }
  std::string folder = store.ContainerFolder(container.id);
  spec.upper = JoinPath(folder, "upper");
  spec.work = JoinPath(folder, "work");
  spec.args = Arguments(image, options);
  ir::ImageConfig environment = config;
  for (const std::string& pair : options.env) {
    size_t equals = pair.find('=');
    environment.SetEnv(pair.substr(0, equals), pair.substr(equals + 1));
  }
  spec.env = environment.env;
  spec.user = options.user.empty() ? config.user : options.user;
  spec.working_dir =
      options.working_dir.empty() ? config.working_dir : options.working_dir;
  if (spec.working_dir.empty()) {
    spec.working_dir = "/";
  }
  spec.hostname = options.hostname.empty() ? container.id.substr(0, 12)
                                           : options.hostname;
  return spec;
}

absl::StatusOr<Image> CommitContainer(const Container& container,
                                      const Image& image,
                                      const CommitOptions& options,
                                      Store& store) {
  ASSIGN_OR_RETURN(std::vector<std::string> folders, Folders(image, store));
  ir::Tree below;
  Digest chain;
  for (LayerId id : image.layers) {
    ASSIGN_OR_RETURN(ir::StepDiff diff, store.ReadDiff(id));
    below.Apply(diff);
    ASSIGN_OR_RETURN(Layer layer, store.GetLayer(id));
    chain = layer.chain;
  }
  std::string upper = JoinPath(store.ContainerFolder(container.id), "upper");
  ASSIGN_OR_RETURN(ir::StepDiff diff, ScanUpper(upper, below, folders));
  ir::ImageDocument document = image.document;
  document.config = options.config;
  document.created = ir::FormatTime(options.now);
  ir::HistoryEntry entry;
  entry.created = document.created;
  entry.created_by = container.command;
  entry.author = options.author;
  entry.comment = options.message;
  entry.empty_layer = diff.entries.empty();
  document.history.push_back(std::move(entry));
  std::vector<LayerId> layers = image.layers;
  if (!diff.entries.empty()) {
    // The container goes on to own its folder, so the tar is made from it now
    // and the layer is unpacked when somebody needs it.
    ASSIGN_OR_RETURN(UniqueFd root, OpenFile(upper, O_PATH | O_DIRECTORY));
    OpenContent open = [&](const ir::Entry& file) {
      return OpenBeneath(root.get(), file.path, O_RDONLY);
    };
    std::string path = JoinPath(store.scratch(), "commit.tar");
    ASSIGN_OR_RETURN(LayerBlob blob, WriteLayer(diff, open, {}, path));
    ASSIGN_OR_RETURN(LayerId reserved, store.ReserveLayer());
    RETURN_IF_ERROR(store.PublishBlob(path, blob.digest));
    ASSIGN_OR_RETURN(
        Layer layer,
        store.AddLayer(reserved,
                       Sha256(absl::StrCat("lamina commit ", chain.hex(), " ",
                                           blob.diff_id.hex())),
                       diff, /*unpacked=*/false));
    RETURN_IF_ERROR(store.SetBlob(layer.id, blob, nullptr));
    layers.push_back(layer.id);
    document.diff_ids.push_back(blob.diff_id);
  }
  return store.AddImage(ir::PrintImageDocument(document), layers,
                        options.names);
}

}  // namespace lamina::backend
