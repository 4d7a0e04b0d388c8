// What the mounts of a RUN show of the build context and of other trees.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/formats/formats.h"
#include "backend/make_step.h"
#include "backend/run_mounts.h"
#include "backend/unpack.h"
#include "base/status.h"

namespace lamina::backend {

absl::Status StepMaker::AddMounts(const ir::Node& node, const ir::Run& run,
                                  std::vector<CopyListing>& listings,
                                  StepMounts& mounts) {
  std::vector<SourceRead> reads = SourceReads(plan_.graph, node);
  for (const ir::Mount& mount : run.mounts) {
    auto read = std::find_if(
        reads.begin(), reads.end(),
        [&](const SourceRead& one) { return one.mount == &mount; });
    CopyListing* listing =
        read == reads.end() ? nullptr : &listings[read - reads.begin()];
    if (mount.type == ir::Mount::Type::kCache && mount.input.has_value()) {
      CacheSeed seed = SeedOf(node, mount, listing);
      RETURN_IF_ERROR(mounts.Add(mount, std::nullopt, &seed));
      continue;
    }
    std::optional<runtime::SandboxMount> source;
    if (listing != nullptr) {
      ASSIGN_OR_RETURN(source, MountContext(node, *read, *listing));
    } else if (mount.input.has_value()) {
      ASSIGN_OR_RETURN(source, MountTree(node, mount));
    }
    RETURN_IF_ERROR(mounts.Add(mount, std::move(source)));
  }
  return absl::OkStatus();
}

absl::StatusOr<runtime::SandboxMount> StepMaker::MountContext(
    const ir::Node& node, const SourceRead& read, CopyListing& listing) {
  ASSIGN_OR_RETURN(OpenedSource source, Open(node, read.inputs));
  ASSIGN_OR_RETURN(std::optional<LayerId> layer,
                   LayerOfFiles(node, read.copy, source.trees, listing));
  runtime::SandboxMount mount;
  bool file = listing.items.size() == 1 && !listing.items[0].from_folder &&
              listing.items[0].item.entry.type != ir::EntryType::kDirectory;
  if (layer.has_value()) {
    ASSIGN_OR_RETURN(std::vector<std::string> folders,
                     stacks_.Folders({*layer}));
    mount.source =
        file ? JoinPath(folders[0], listing.items[0].name) : folders[0];
  } else {
    mount.source = JoinPath(store_.scratch(), "empty");
    RETURN_IF_ERROR(MakeDirs(mount.source));
  }
  return mount;
}

absl::StatusOr<std::optional<LayerId>> StepMaker::LayerOfFiles(
    const ir::Node& node, const ir::Copy& copy, const SourceTrees& trees,
    CopyListing& listing) {
  RETURN_IF_ERROR(FillDigests(listing, trees, &store_, true));
  Digest key =
      Sha256(absl::StrCat("lamina context mount ",
                          ListingDigest(listing, copy.preserve_owner).hex()));
  ASSIGN_OR_RETURN(std::optional<Layer> known,
                   store_.FindLayer(LayerChain(key)));
  if (known.has_value()) {
    return std::optional<LayerId>(known->id);
  }
  ASSIGN_OR_RETURN(
      MadeLayer made,
      WriteCopy(copy, NodeResult(), absl::StrCat(node.stage, " mounts"), trees,
                &listing, [&] { return key; }));
  return made.layer;
}

CacheSeed StepMaker::SeedOf(const ir::Node& node, const ir::Mount& mount,
                            const CopyListing* listing) {
  CacheSeed seed;
  seed.identity =
      absl::StrCat(mount.source, "\n",
                   listing != nullptr
                       ? ListingDigest(*listing, false).hex()
                       : results_[node.inputs[*mount.input].index].chain.hex());
  seed.fill = [this, &node, &mount, listing](const std::string& folder) {
    return FillCache(node, mount, listing, folder);
  };
  return seed;
}

absl::Status StepMaker::FillCache(const ir::Node& node, const ir::Mount& mount,
                                  const CopyListing* known,
                                  const std::string& folder) {
  ASSIGN_OR_RETURN(OpenedSource source, Open(node, {*mount.input}));
  ir::Copy copy = MountedFiles(mount);
  copy.preserve_owner = known == nullptr;
  CopyListing listing;
  if (known != nullptr) {
    listing = *known;
  } else {
    ASSIGN_OR_RETURN(listing, ListSources(copy, source.trees));
  }
  const ir::Entry* root = nullptr;
  for (const PickedItem& picked : listing.items) {
    root = picked.name.empty() ? &picked.item.entry : root;
  }
  if (root == nullptr && !listing.items.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the source `", mount.source,
        "` of a cache mount is no folder; name the folder it is in"));
  }
  mode_t mode = root == nullptr ? 0755 : root->mode;
  uid_t uid = root == nullptr || known != nullptr ? 0 : root->uid;
  gid_t gid = root == nullptr || known != nullptr ? 0 : root->gid;
  ASSIGN_OR_RETURN(std::optional<LayerId> layer,
                   LayerOfFiles(node, copy, source.trees, listing));
  RETURN_IF_ERROR(layer.has_value() ? UnpackInto(*layer, folder)
                                    : MakeDirs(folder));
  bool other_owner = uid != 0 || gid != 0;
  if ((other_owner && chown(folder.c_str(), uid, gid) != 0) ||
      chmod(folder.c_str(), mode) != 0) {
    return ErrnoError(absl::StrCat("make the cache ", folder));
  }
  return absl::OkStatus();
}

absl::Status StepMaker::UnpackInto(LayerId layer, const std::string& folder) {
  ASSIGN_OR_RETURN(LayerBlob blob, EnsureBlob(layer, store_, options_.layers));
  ASSIGN_OR_RETURN(UniqueFd fd, store_.OpenBlob(blob.digest));
  std::string format;
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> plain,
                   Decompress(MakeFdSource(fd.get()), &format));
  return UnpackLayer(*plain, ir::Tree(), {}, folder).status();
}

absl::StatusOr<runtime::SandboxMount> StepMaker::MountTree(
    const ir::Node& node, const ir::Mount& mount) {
  const NodeResult& from = results_[node.inputs[*mount.input].index];
  ASSIGN_OR_RETURN(
      const ir::Tree* tree,
      stacks_.Fold(absl::StrCat(node.stage, " mounts from"), from.layers));
  ASSIGN_OR_RETURN(std::string path,
                   tree->Resolve(CleanPath(mount.source).substr(1), true));
  const ir::Tree::Item* item = tree->Find(path);
  if (item == nullptr && !path.empty()) {
    return absl::NotFoundError(
        absl::StrCat("the mount source `", mount.source, "` is not there"));
  }
  runtime::SandboxMount shown;
  shown.type = runtime::SandboxMount::Type::kOverlay;
  shown.source = absl::StrCat("/", path);
  shown.is_folder =
      item == nullptr || item->entry.type == ir::EntryType::kDirectory;
  ASSIGN_OR_RETURN(std::vector<std::string> folders,
                   stacks_.Folders(from.layers));
  shown.lowers.assign(folders.rbegin(), folders.rend());
  if (shown.lowers.empty()) {  // scratch
    std::string empty = JoinPath(store_.scratch(), "empty");
    RETURN_IF_ERROR(MakeDirs(empty));
    shown.lowers = {empty};
  }
  return shown;
}

}  // namespace lamina::backend
