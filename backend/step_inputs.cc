// What steps begin with and read.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/plan.h"
#include "base/status.h"
#include "base/url.h"

namespace lamina::backend {
namespace {

std::string RemoteName(const ir::Op& op) {
  const auto* file = std::get_if<ir::RemoteFile>(&op);
  return HidePassword(file != nullptr ? file->url
                                      : std::get<ir::GitTree>(op).url);
}

}  // namespace

absl::StatusOr<SourceTree> OpenContext(const LocalContext& context) {
  if (!context.commit) {
    return OpenContextFolder(context.path, context.ignore);
  }
  ASSIGN_OR_RETURN(SourceTree tree,
                   OpenCommitFolder(context.path, context.commit_time));
  // Its files are listed: nobody else names them.
  tree.kind = SourceKind::kPaths;
  return tree;
}

std::optional<std::string> UnknownBase(const ir::Op& op) {
  const auto* base = std::get_if<ir::BaseImage>(&op);
  if (base == nullptr || !base->image_id.empty()) {
    return std::nullopt;
  }
  return absl::StrCat("base `", base->reference.Familiar(),
                      "` is not in the local store: its layers, environment "
                      "and ONBUILD triggers are unknown");
}

const RemoteState& RemoteStateOf(const ir::Op& op, const PlanOptions& options) {
  static const RemoteState kUnknown;
  auto known = options.remotes.find(ir::PrintOp(op));
  return known == options.remotes.end() ? kUnknown : known->second;
}

bool IsStep(const ir::Op& op) {
  return std::holds_alternative<ir::Run>(op) ||
         std::holds_alternative<ir::Copy>(op) ||
         std::holds_alternative<ir::MakeDir>(op);
}

std::vector<SourceRead> SourceReads(const ir::BuildGraph& graph,
                                    const ir::Node& node) {
  auto is_context = [&](uint32_t input) {
    const ir::Op& op = graph.nodes[node.inputs[input]].op;
    return std::holds_alternative<ir::LocalFiles>(op) || IsRemote(op);
  };
  std::vector<SourceRead> reads;
  if (const auto* copy = std::get_if<ir::Copy>(&node.op)) {
    SourceRead read;
    read.copy = *copy;
    read.from_context = true;
    for (uint32_t input = 1; input < node.inputs.size(); ++input) {
      read.inputs.push_back(input);
      read.from_context = read.from_context && is_context(input);
    }
    if (!read.inputs.empty()) {
      reads.push_back(std::move(read));
    }
  } else if (const auto* run = std::get_if<ir::Run>(&node.op)) {
    for (const ir::Mount& mount : run->mounts) {
      if (mount.input.has_value() && is_context(*mount.input)) {
        SourceRead read;
        read.copy = MountedFiles(mount);
        read.inputs = {*mount.input};
        read.from_context = true;
        read.mount = &mount;
        reads.push_back(std::move(read));
      }
    }
  }
  return reads;
}

ir::Copy MountedFiles(const ir::Mount& mount) {
  std::string source;
  for (char c : mount.source) {
    // A mount names one path; a COPY would take these for patterns.
    if (absl::StrContains("*?[\\", absl::string_view(&c, 1))) {
      source += '\\';
    }
    source += c;
  }
  ir::Copy copy;
  copy.sources = {source};
  copy.destination.push_back('/');
  return copy;
}

bool MayUseCache(const PlanOptions& options, const ir::Node& node) {
  return !options.no_cache && !options.no_cache_stages.contains(node.stage);
}

absl::StatusOr<NodeResult> BaseResult(const ir::Op& op,
                                      const PlanOptions& options,
                                      Store* store) {
  NodeResult result;
  if (IsRemote(op)) {
    result.remote = RemoteName(op);
    result.chain = RemoteStateOf(op, options).identity.value_or(Digest());
    return result;
  }
  const auto* base = std::get_if<ir::BaseImage>(&op);
  if (base == nullptr) {
    return result;
  }
  if (store == nullptr || base->image_id.empty()) {
    // Planned without the base: a name that no real stack has.
    result.chain = Sha256(base->reference.Full());
    return result;
  }
  ASSIGN_OR_RETURN(Image image, store->GetImage(base->image_id));
  result.layers = image.layers;
  if (!image.layers.empty()) {
    ASSIGN_OR_RETURN(Layer top, store->GetLayer(image.layers.back()));
    result.chain = top.chain;
  }
  return result;
}

absl::StatusOr<NodeResult> ResultAfter(const NodeResult& parent,
                                       const std::optional<LayerId>& layer,
                                       Store& store) {
  NodeResult result = parent;
  if (layer.has_value()) {
    ASSIGN_OR_RETURN(Layer top, store.GetLayer(*layer));
    result.layers.push_back(top.id);
    result.chain = top.chain;
  }
  return result;
}

absl::Status FillDigests(CopyListing& listing, const SourceTrees& trees,
                         Store* store, bool read) {
  std::vector<PickedItem*> files;
  std::vector<FileStamp> stamps;
  for (PickedItem& picked : listing.items) {
    if (picked.item.entry.type == ir::EntryType::kFile &&
        picked.item.entry.digest.empty()) {
      files.push_back(&picked);
      stamps.push_back(picked.item.stamp);
    }
  }
  std::vector<std::optional<Digest>> known(files.size());
  if (store != nullptr) {
    ASSIGN_OR_RETURN(known, store->FindFileDigests(stamps));
  }
  std::string buffer(1 << 20, '\0');
  for (size_t i = 0; i < files.size(); ++i) {
    ir::Entry& entry = files[i]->item.entry;
    if (known[i].has_value()) {
      entry.digest = *known[i];
      continue;
    }
    if (!read) {
      continue;
    }
    ASSIGN_OR_RETURN(UniqueFd fd, trees[files[i]->input - 1]->open(entry.path));
    Hasher hasher;
    while (true) {
      ASSIGN_OR_RETURN(size_t size,
                       ReadFull(fd.get(), buffer.data(), buffer.size()));
      hasher.Update(buffer.data(), size);
      if (size < buffer.size()) {
        break;
      }
    }
    entry.digest = hasher.Finish();
  }
  return absl::OkStatus();
}

std::vector<ir::NodeId> RemotesToFetch(const Plan& plan) {
  std::vector<ir::NodeId> nodes;
  for (const Step& step : plan.steps) {
    if (step.state == StepState::kCached) {
      continue;
    }
    for (ir::NodeId input : plan.graph.nodes[step.node].inputs) {
      if (IsRemote(plan.graph.nodes[input].op)) {
        nodes.push_back(input);
      }
    }
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

NodeResult UnmadeResult(const NodeResult& parent, const Digest& key) {
  return {Sha256(absl::StrCat("lamina unmade ", key.hex())), parent.layers};
}

}  // namespace lamina::backend
