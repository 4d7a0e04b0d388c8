#include "backend/make_step.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <deque>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/formats/formats.h"
#include "backend/predicted_diffs.h"
#include "backend/run_mounts.h"
#include "backend/unpack.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// The end of a step's output.
class LastLines {
 public:
  void Add(absl::string_view bytes) {
    absl::StrAppend(&text_, bytes);
    if (text_.size() > 2 * kMaxBytes) {
      text_.erase(0, text_.size() - kMaxBytes);
    }
  }
  // At most kLastLines lines, without the final line end.
  std::string Text() const {
    absl::string_view text = absl::StripTrailingAsciiWhitespace(text_);
    size_t begin = text.size();
    for (size_t lines = 0; lines < kLastLines && begin > 0; ++lines) {
      size_t end = text.rfind('\n', begin - 1);
      begin = end == absl::string_view::npos ? 0 : end;
    }
    return std::string(absl::StripLeadingAsciiWhitespace(text.substr(begin)));
  }

 private:
  static constexpr size_t kLastLines = 50;
  static constexpr size_t kMaxBytes = 64 * 1024;
  std::string text_;
};

absl::StatusOr<UniqueFd> OpenOrigin(const ir::Copy& copy,
                                    const CopyListing& listing,
                                    const SourceTrees& trees,
                                    const ContentOrigin& origin,
                                    const TempDir& scratch) {
  switch (origin.kind) {
    case ContentOrigin::Kind::kSource:
      return trees[listing.items[origin.index].input - 1]->open(origin.path);
    case ContentOrigin::Kind::kScratch:
      return OpenFile(origin.path, O_RDONLY);
    case ContentOrigin::Kind::kInline:
      break;
  }
  std::string path =
      JoinPath(scratch.path(), absl::StrCat("inline.", origin.index));
  if (!FileExists(path)) {
    RETURN_IF_ERROR(ReplaceFile(path, copy.files[origin.index].data, 0600,
                                /*durable=*/false));
  }
  return OpenFile(path, O_RDONLY);
}

// Digests came out of the pass over the bytes; the listing needs them, too.
void TakeDigests(const PlacedCopy& placed, CopyListing& listing) {
  std::map<std::string, Digest> by_path;
  for (const ir::Entry& entry : placed.diff.entries) {
    by_path[entry.path] = entry.digest;
  }
  for (const auto& [path, origin] : placed.origins) {
    auto digest = by_path.find(path);
    if (origin.kind == ContentOrigin::Kind::kSource &&
        digest != by_path.end()) {
      listing.items[origin.index].item.entry.digest = digest->second;
    }
  }
}

absl::Status RememberDigests(const CopyListing& listing, Store& store) {
  std::vector<std::pair<FileStamp, Digest>> digests;
  for (const PickedItem& picked : listing.items) {
    if (picked.item.entry.type == ir::EntryType::kFile &&
        picked.item.stamp != FileStamp()) {
      digests.emplace_back(picked.item.stamp, picked.item.entry.digest);
    }
  }
  return store.AddFileDigests(digests);
}

}  // namespace

Digest LayerChain(const Digest& key) {
  return Sha256(absl::StrCat("lamina layer ", key.hex()));
}

int64_t StepMaker::Now() const {
  return plan_.options.source_date_epoch.value_or(options_.now);
}

int64_t StepMaker::NewestTime() const {
  return plan_.options.source_date_epoch.value_or(ir::kNoTimeLimit);
}

absl::StatusOr<StepMaker::OpenedSource> StepMaker::Open(
    const ir::Node& node, const std::vector<uint32_t>& inputs) {
  OpenedSource opened;
  for (uint32_t input : inputs) {
    ASSIGN_OR_RETURN(SourceTree tree, OpenTree(node, input, opened));
    opened.files.push_back(std::move(tree));
    opened.trees.push_back(&opened.files.back());
  }
  return opened;
}

absl::StatusOr<SourceTree> StepMaker::OpenTree(const ir::Node& node,
                                               uint32_t input,
                                               OpenedSource& opened) {
  ir::NodeId id = node.inputs[input];
  const ir::Op& op = plan_.graph.nodes[id].op;
  if (const auto* local = std::get_if<ir::LocalFiles>(&op)) {
    return OpenContext(plan_.options.contexts.at(local->name));
  }
  if (IsRemote(op)) {
    const RemoteState& state = RemoteStateOf(op, plan_.options);
    CHECK(state.fetched);
    if (const auto* file = std::get_if<ir::RemoteFile>(&op)) {
      return OpenRemoteFile(file->name, store_.BlobPath(state.content),
                            state.content, state.mtime);
    }
    return OpenCommitFolder(state.folder, state.commit_time);
  }
  const NodeResult& from = results_[id.index];
  // One tree for each pair of stages: the reader's thread alone uses it.
  ASSIGN_OR_RETURN(const ir::Tree* tree,
                   stacks_.Fold(absl::StrCat(node.stage, " reads ",
                                             plan_.graph.nodes[id].stage),
                                from.layers));
  ASSIGN_OR_RETURN(std::vector<std::string> folders,
                   stacks_.Folders(from.layers));
  opened.folders.push_back(std::move(folders));
  return OpenLayerTree(*tree, opened.folders.back());
}

absl::Status StepMaker::List(ir::NodeId id, bool read,
                             std::vector<CopyListing>& listings) {
  const ir::Node& node = plan_.graph.nodes[id];
  std::vector<SourceRead> reads = SourceReads(plan_.graph, node);
  listings.resize(reads.size());
  for (size_t i = 0; i < reads.size(); ++i) {
    ASSIGN_OR_RETURN(OpenedSource source, Open(node, reads[i].inputs));
    if (listings[i].items.empty() || !listings[i].complete) {
      ASSIGN_OR_RETURN(listings[i], ListSources(reads[i].copy, source.trees));
    }
    if (read) {
      RETURN_IF_ERROR(FillDigests(listings[i], source.trees, &store_, true));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<MadeLayer> StepMaker::Make(ir::NodeId id,
                                          std::vector<CopyListing>& listings,
                                          const OutputBytes& on_output) {
  const ir::Op& op = plan_.graph.nodes[id].op;
  if (std::holds_alternative<ir::Run>(op)) {
    return MakeRuns({id}, listings,
                    {[](size_t) {},
                     [&](size_t, absl::string_view bytes) { on_output(bytes); }});
  }
  if (const auto* copy = std::get_if<ir::Copy>(&op)) {
    return MakeCopy(id, *copy, listings);
  }
  return MakeFolder(id, std::get<ir::MakeDir>(op));
}

// --- RUN -------------------------------------------------------------------

absl::StatusOr<runtime::SandboxResult> StepMaker::RunOne(
    ir::NodeId id, std::vector<CopyListing>& listings,
    const std::vector<std::string>& folders, const std::string& folder,
    const OutputBytes& on_output) {
  const ir::Node& node = plan_.graph.nodes[id];
  const auto& run = std::get<ir::Run>(node.op);
  ASSIGN_OR_RETURN(runtime::SandboxSpec spec, Spec(run, folders));
  // Without the cache of steps those of mounts start afresh, too.
  StepMounts mounts(MayUseCache(plan_.options, node)
                        ? store_.CachesFolder()
                        : JoinPath(store_.scratch(), "caches"),
                    options_.resources);
  RETURN_IF_ERROR(AddMounts(node, run, listings, mounts));
  RETURN_IF_ERROR(mounts.MoveInto(spec));
  spec.upper = JoinPath(folder, "fs");
  spec.work = JoinPath(folder, "work");
  RETURN_IF_ERROR(MakeDirs(spec.upper));
  RETURN_IF_ERROR(MakeDirs(spec.work));
  Redactor redactor(mounts.secrets());
  ASSIGN_OR_RETURN(runtime::SandboxResult outcome,
                   sandbox_.Run(spec, [&](int, absl::string_view bytes) {
                     on_output(redactor.Pass(bytes));
                   }));
  on_output(redactor.Rest());
  RETURN_IF_ERROR(RemoveTree(spec.work));
  return outcome;
}

absl::StatusOr<MadeLayer> StepMaker::MakeRuns(
    const std::vector<ir::NodeId>& ids, std::vector<CopyListing>& listings,
    const RunEvents& events) {
  const ir::Node& first = plan_.graph.nodes[ids.front()];
  const NodeResult& parent = results_[first.inputs[0].index];
  ASSIGN_OR_RETURN(const ir::Tree* below,
                   stacks_.Fold(first.stage, parent.layers));
  ASSIGN_OR_RETURN(std::vector<std::string> folders,
                   stacks_.Folders(parent.layers));
  ASSIGN_OR_RETURN(LayerId reserved, store_.ReserveLayer());
  std::string folder = store_.LayerFolder(reserved);
  MadeLayer made;
  for (size_t i = 0; i < ids.size(); ++i) {
    events.on_start(i);
    LastLines last_lines;
    ASSIGN_OR_RETURN(runtime::SandboxResult outcome,
                     RunOne(ids[i], listings, folders, folder,
                            [&](absl::string_view bytes) {
                              last_lines.Add(bytes);
                              events.on_output(i, bytes);
                            }));
    if (outcome.exit_code != 0) {
      made.failure = outcome;
      made.last_output = last_lines.Text();
      RETURN_IF_ERROR(RemoveTree(folder));
      return made;
    }
  }
  ASSIGN_OR_RETURN(ir::StepDiff diff,
                   ScanUpper(JoinPath(folder, "fs"), *below, folders,
                             NewestTime()));
  if (diff.entries.empty()) {
    RETURN_IF_ERROR(RemoveTree(folder));
    return made;
  }
  made.bytes = DiffBytes(diff);
  Digest key = StepKey(plan_.graph.nodes[ids.back()], results_, listings,
                       plan_.options);
  ASSIGN_OR_RETURN(Layer layer, store_.AddLayer(reserved, LayerChain(key), diff,
                                                /*unpacked=*/true));
  made.layer = layer.id;
  return made;
}

absl::StatusOr<runtime::SandboxSpec> StepMaker::Spec(
    const ir::Run& run, const std::vector<std::string>& folders) const {
  runtime::SandboxSpec spec;
  spec.lower_base = store_.LayersFolder();
  std::string prefix = absl::StrCat(spec.lower_base, "/");
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    CHECK(absl::StartsWith(*folder, prefix));
    spec.lowers.push_back(folder->substr(prefix.size()));
  }
  spec.args = run.args;
  spec.env = run.env;
  spec.env.insert(spec.env.end(), run.hidden_env.begin(), run.hidden_env.end());
  spec.user = run.user;
  spec.working_dir = run.working_dir;
  spec.hostname = options_.hostname;
  spec.extra_hosts = options_.extra_hosts;
  spec.network = run.network == ir::NetworkMode::kNone
                     ? runtime::Network::kNone
                     : runtime::Network::kHost;
  spec.insecure = run.insecure;
  for (const ir::ScriptFile& script : run.scripts) {
    spec.scripts.emplace_back(script.name, script.data);
  }
  spec.cancel = options_.cancel;
  return spec;
}

// --- COPY and WORKDIR ------------------------------------------------------

absl::StatusOr<MadeLayer> StepMaker::MakeCopy(
    ir::NodeId id, const ir::Copy& copy, std::vector<CopyListing>& listings) {
  const ir::Node& node = plan_.graph.nodes[id];
  std::vector<uint32_t> inputs;
  for (uint32_t input = 1; input < node.inputs.size(); ++input) {
    inputs.push_back(input);
  }
  ASSIGN_OR_RETURN(OpenedSource source, Open(node, inputs));
  CopyListing none;
  return WriteCopy(copy, results_[node.inputs[0].index], node.stage,
                   source.trees, listings.empty() ? &none : &listings[0], [&] {
                     return StepKey(node, results_, listings, plan_.options);
                   });
}

absl::StatusOr<MadeLayer> StepMaker::MakeFolder(ir::NodeId id,
                                                const ir::MakeDir& make) {
  const ir::Node& node = plan_.graph.nodes[id];
  const NodeResult& parent = results_[node.inputs[0].index];
  ASSIGN_OR_RETURN(const ir::Tree* below,
                   stacks_.Fold(node.stage, parent.layers));
  ASSIGN_OR_RETURN(ir::StepDiff diff,
                   PlaceFolder(make, *below,
                               stacks_.TextReader(parent.layers, *below),
                               Now()));
  if (diff.entries.empty()) {
    return MadeLayer();
  }
  OpenContent none = [](const ir::Entry& entry) -> absl::StatusOr<UniqueFd> {
    return absl::InternalError(absl::StrCat("no bytes for ", entry.path));
  };
  std::string file =
      JoinPath(store_.scratch(), absl::StrCat("layer.", ++files_));
  ASSIGN_OR_RETURN(LayerBlob blob,
                   WriteLayer(diff, none, options_.layers, file));
  return Publish(diff, blob, file, StepKey(node, results_, {}, plan_.options));
}

absl::StatusOr<MadeLayer> StepMaker::WriteCopy(
    const ir::Copy& copy, const NodeResult& parent, const std::string& user,
    const SourceTrees& trees, CopyListing* listing,
    const std::function<Digest()>& key) {
  ASSIGN_OR_RETURN(const ir::Tree* below, stacks_.Fold(user, parent.layers));
  ASSIGN_OR_RETURN(TempDir scratch, TempDir::Create(store_.scratch()));
  PlaceOptions place;
  place.now = Now();
  place.scratch = scratch.path();
  ASSIGN_OR_RETURN(PlacedCopy placed,
                   PlaceCopy(copy, *listing, trees, *below,
                             stacks_.TextReader(parent.layers, *below), place));
  ir::LimitTimes(placed.diff, NewestTime());
  LayerBlob blob;
  std::string file = JoinPath(scratch.path(), "layer.tar");
  if (!placed.diff.entries.empty()) {
    OpenContent open = [&](const ir::Entry& entry) {
      return OpenOrigin(copy, *listing, trees, placed.origins.at(entry.path),
                        scratch);
    };
    ASSIGN_OR_RETURN(blob,
                     WriteLayer(placed.diff, open, options_.layers, file));
  }
  TakeDigests(placed, *listing);
  RETURN_IF_ERROR(FillDigests(*listing, trees, &store_, true));
  RETURN_IF_ERROR(RememberDigests(*listing, store_));
  if (placed.diff.entries.empty()) {
    return MadeLayer();
  }
  return Publish(placed.diff, blob, file, key());
}

absl::StatusOr<MadeLayer> StepMaker::Publish(
    const ir::StepDiff& diff, const LayerBlob& blob, const std::string& file,
    const Digest& key) {
  MadeLayer made = {.bytes = DiffBytes(diff)};
  // The same files may have been copied from elsewhere before.
  Digest chain = LayerChain(key);
  ASSIGN_OR_RETURN(std::optional<Layer> known, store_.FindLayer(chain));
  if (known.has_value()) {
    if (known->diff_id == blob.diff_id) {
      made.layer = known->id;
      return made;
    }
    // Made anew on demand; times may differ, so it is another layer.
    chain = Sha256(absl::StrCat(chain.hex(), " ", blob.diff_id.hex()));
  }
  ASSIGN_OR_RETURN(LayerId reserved, store_.ReserveLayer());
  RETURN_IF_ERROR(store_.PublishBlob(file, blob.digest));
  ASSIGN_OR_RETURN(Layer layer, store_.AddLayer(reserved, chain, diff,
                                                /*unpacked=*/false));
  RETURN_IF_ERROR(store_.SetBlob(layer.id, blob, nullptr));
  made.layer = layer.id;
  return made;
}

}  // namespace lamina::backend
