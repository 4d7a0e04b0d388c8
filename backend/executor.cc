#include "backend/executor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/assemble_image.h"
#include "backend/formats/formats.h"
#include "backend/unpack.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kLastLines = 50;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

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
  static constexpr size_t kMaxBytes = 64 * 1024;
  std::string text_;
};

class Executor {
 public:
  Executor(const Plan& plan, Store& store, runtime::Sandbox& sandbox,
           const ExecuteOptions& options, const BuildEvents& events)
      : plan_(plan), store_(store), sandbox_(sandbox), options_(options),
        events_(events) {}

  absl::StatusOr<BuildResult> Execute() {
    results_.resize(plan_.graph.nodes.size());
    made_.resize(plan_.graph.nodes.size());
    for (const Step& step : plan_.steps) {
      positions_.push_back(
          ++stage_sizes_[plan_.graph.nodes[step.node].stage]);
    }
    size_t next_step = 0;
    for (uint32_t index = 0; index < results_.size(); ++index) {
      ir::NodeId id{index};
      const ir::Node& node = plan_.graph.nodes[id];
      if (!IsStep(node.op)) {
        ASSIGN_OR_RETURN(results_[index], BaseResult(node.op, &store_));
        continue;
      }
      CHECK(next_step < plan_.steps.size() &&
            plan_.steps[next_step].node == id);
      const Step& step = plan_.steps[next_step++];
      absl::Status status = DoStep(step, node, static_cast<int>(next_step));
      // What was built before a failure stays cached.
      if (!status.ok() || result_.failure.has_value()) {
        ReportNotReached(next_step);
        RETURN_IF_ERROR(store_.Flush());
        RETURN_IF_ERROR(
            Annotate(status, absl::StrCat("at `", node.text, "`")));
        return std::move(result_);
      }
    }
    CHECK(plan_.graph.targets.size() == 1);
    ASSIGN_OR_RETURN(
        result_.image,
        AssembleImage(plan_, plan_.graph.targets[0], results_, made_, store_,
                      options_));
    return std::move(result_);
  }

 private:
  BuildEvent Event(BuildEvent::Kind kind, const ir::Node& node,
                   int number) const {
    BuildEvent event;
    event.kind = kind;
    event.number = positions_[static_cast<size_t>(number - 1)];
    event.total = stage_sizes_.at(node.stage);
    event.stage = node.stage;
    event.text = node.text;
    return event;
  }

  void ReportNotReached(size_t first) const {
    for (size_t i = first; i < plan_.steps.size(); ++i) {
      events_(Event(BuildEvent::Kind::kNotReached,
                    plan_.graph.nodes[plan_.steps[i].node],
                    static_cast<int>(i + 1)));
    }
  }

  absl::Status UseRecord(ir::NodeId id, const ir::Node& node, int number,
                         const StepRecord& record) {
    ASSIGN_OR_RETURN(results_[id.index],
                     ResultAfter(results_[node.inputs[0].index], record.layer,
                                 store_));
    made_[id.index] = {record.layer, record.created};
    ++result_.steps_cached;
    events_(Event(BuildEvent::Kind::kCached, node, number));
    return absl::OkStatus();
  }

  absl::Status DoStep(const Step& step, const ir::Node& node, int number) {
    if (step.record.has_value()) {
      return UseRecord(step.node, node, number, *step.record);
    }
    if (options_.cancel != nullptr && options_.cancel->load() != 0) {
      return absl::CancelledError("the build was cancelled");
    }
    bool reads_context = CopiesFromContext(plan_.graph, node);
    UniqueFd lock;
    if (!reads_context) {
      // Another build may have finished this step since the plan was made.
      Digest key = StepKey(node, results_, {}, plan_.options);
      ASSIGN_OR_RETURN(lock, store_.Lock(key));
      if (!plan_.options.no_cache) {
        ASSIGN_OR_RETURN(auto record, store_.FindStep(key));
        if (record.has_value()) {
          return UseRecord(step.node, node, number, *record);
        }
      }
    }
    events_(Event(BuildEvent::Kind::kStarted, node, number));
    auto start = std::chrono::steady_clock::now();
    absl::Status status = MakeStep(step, node, number);
    BuildEvent end = Event(status.ok() && !result_.failure.has_value()
                               ? BuildEvent::Kind::kFinished
                               : BuildEvent::Kind::kFailed,
                           node, number);
    end.seconds = SecondsSince(start);
    events_(end);
    ++result_.steps_run;
    return status;
  }

  absl::Status MakeStep(const Step& step, const ir::Node& node, int number) {
    const NodeResult& parent = results_[node.inputs[0].index];
    auto start = std::chrono::steady_clock::now();
    ASSIGN_OR_RETURN(const ir::Tree* below, FoldTree(parent));
    CopyListing listing = step.listing;
    std::optional<LayerId> layer;
    if (const auto* run = std::get_if<ir::Run>(&node.op)) {
      ASSIGN_OR_RETURN(layer, DoRun(*run, node, parent, *below, number));
    } else if (const auto* copy = std::get_if<ir::Copy>(&node.op)) {
      ASSIGN_OR_RETURN(layer, DoCopy(*copy, node, parent, *below, listing));
    } else {
      const auto& make = std::get<ir::MakeDir>(node.op);
      ASSIGN_OR_RETURN(
          ir::StepDiff diff,
          PlaceFolder(make, *below, TextReader(parent, *below), Now()));
      ASSIGN_OR_RETURN(layer, WriteCopied(node, std::move(diff), nullptr,
                                          listing));
    }
    if (result_.failure.has_value()) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(results_[step.node.index],
                     ResultAfter(parent, layer, store_));
    made_[step.node.index] = {layer, Now()};
    StepRecord record;
    record.key = StepKey(node, results_, listing, plan_.options);
    record.layer = layer;
    record.seconds = SecondsSince(start);
    record.created = Now();
    record.name = step.name;
    record.inputs = StepInputs(node, results_, listing);
    RETURN_IF_ERROR(store_.AddStep(record));
    if (CopiesFromContext(plan_.graph, node)) {
      StepRecord prefix = record;
      prefix.key = PrefixKey(node, results_);
      prefix.layer.reset();
      prefix.name.clear();
      prefix.inputs.clear();
      RETURN_IF_ERROR(store_.AddStep(prefix));
    }
    return absl::OkStatus();
  }

  int64_t Now() const {
    return plan_.options.source_date_epoch.value_or(options_.now);
  }

  int64_t NewestTime() const {
    return plan_.options.source_date_epoch.value_or(ir::kNoTimeLimit);
  }

  // --- trees -------------------------------------------------------------

  // The merged tree of a stack. The last one is kept: steps of a stage add one
  // layer each, and folding the base again for each would cost more than the
  // step.
  absl::StatusOr<const ir::Tree*> FoldTree(const NodeResult& result) {
    bool extends = folded_layers_.size() <= result.layers.size() &&
                   std::equal(folded_layers_.begin(), folded_layers_.end(),
                              result.layers.begin());
    if (!extends) {
      folded_ = ir::Tree();
      folded_layers_.clear();
    }
    for (size_t i = folded_layers_.size(); i < result.layers.size(); ++i) {
      ASSIGN_OR_RETURN(ir::StepDiff diff, store_.ReadDiff(result.layers[i]));
      folded_.Apply(diff);
      folded_layers_.push_back(result.layers[i]);
    }
    return &folded_;
  }

  // The unpacked folders of a stack, bottom to top.
  absl::StatusOr<std::vector<std::string>> Folders(const NodeResult& result) {
    std::vector<std::string> folders;
    std::vector<LayerId> below;
    for (LayerId layer : result.layers) {
      auto known = folders_.find(layer);
      if (known == folders_.end()) {
        ASSIGN_OR_RETURN(std::string folder,
                         EnsureUnpacked(layer, below, store_));
        known = folders_.emplace(layer, std::move(folder)).first;
      }
      folders.push_back(known->second);
      below.push_back(layer);
    }
    return folders;
  }

  // Reads small text files of a stack: /etc/passwd and /etc/group.
  ReadText TextReader(const NodeResult& result, const ir::Tree& tree) {
    return [this, &result, &tree](
               const std::string& path) -> absl::StatusOr<std::string> {
      ASSIGN_OR_RETURN(std::string real, tree.Resolve(path, true));
      const ir::Tree::Item* item = tree.Find(real);
      if (item == nullptr || item->entry.type != ir::EntryType::kFile) {
        return std::string();
      }
      ASSIGN_OR_RETURN(std::vector<std::string> folders, Folders(result));
      ASSIGN_OR_RETURN(UniqueFd fd, OpenLayerTree(tree, folders).open(real));
      return ReadAll(fd.get(), 10 << 20);
    };
  }

  // --- RUN ---------------------------------------------------------------

  absl::StatusOr<std::optional<LayerId>> DoRun(const ir::Run& run,
                                               const ir::Node& node,
                                               const NodeResult& parent,
                                               const ir::Tree& below,
                                               int number) {
    ASSIGN_OR_RETURN(std::vector<std::string> folders, Folders(parent));
    ASSIGN_OR_RETURN(LayerId reserved, store_.ReserveLayer());
    runtime::SandboxSpec spec = Spec(run, folders);
    std::string folder = store_.LayerFolder(reserved);
    spec.upper = JoinPath(folder, "fs");
    spec.work = JoinPath(folder, "work");
    RETURN_IF_ERROR(MakeDirs(spec.upper));
    RETURN_IF_ERROR(MakeDirs(spec.work));
    LastLines last_lines;
    auto on_output = [&](int, absl::string_view bytes) {
      last_lines.Add(bytes);
      BuildEvent event = Event(BuildEvent::Kind::kOutput, node, number);
      event.output = std::string(bytes);
      events_(event);
    };
    ASSIGN_OR_RETURN(runtime::SandboxResult outcome,
                     sandbox_.Run(spec, on_output));
    RETURN_IF_ERROR(RemoveTree(spec.work));
    if (outcome.exit_code != 0) {
      result_.failure = {node_id(node), number, outcome, last_lines.Text()};
      RETURN_IF_ERROR(RemoveTree(folder));
      return std::optional<LayerId>();
    }
    ASSIGN_OR_RETURN(ir::StepDiff diff,
                     ScanUpper(spec.upper, below, folders, NewestTime()));
    if (diff.entries.empty()) {
      RETURN_IF_ERROR(RemoveTree(folder));
      return std::optional<LayerId>();
    }
    ASSIGN_OR_RETURN(
        Layer layer,
        store_.AddLayer(reserved,
                        LayerChain(StepKey(node, results_, {}, plan_.options)),
                        diff, /*unpacked=*/true));
    return std::optional<LayerId>(layer.id);
  }

  runtime::SandboxSpec Spec(const ir::Run& run,
                            const std::vector<std::string>& folders) const {
    runtime::SandboxSpec spec;
    spec.lower_base = store_.LayersFolder();
    std::string prefix = absl::StrCat(spec.lower_base, "/");
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
      CHECK(absl::StartsWith(*folder, prefix));
      spec.lowers.push_back(folder->substr(prefix.size()));
    }
    spec.args = run.args;
    spec.env = run.env;
    spec.env.insert(spec.env.end(), run.hidden_env.begin(),
                    run.hidden_env.end());
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
    for (const ir::Mount& mount : run.mounts) {
      // The other kinds were refused before the plan was made.
      CHECK(mount.type == ir::Mount::Type::kTmpfs);
      runtime::SandboxMount tmpfs;
      tmpfs.type = runtime::SandboxMount::Type::kTmpfs;
      tmpfs.target = mount.target;
      tmpfs.size = mount.size;
      tmpfs.nosuid = true;
      spec.mounts.push_back(std::move(tmpfs));
    }
    spec.cancel = options_.cancel;
    return spec;
  }

  ir::NodeId node_id(const ir::Node& node) const {
    return ir::NodeId{
        static_cast<uint32_t>(&node - &*plan_.graph.nodes.begin())};
  }

  // --- COPY --------------------------------------------------------------

  static Digest LayerChain(const Digest& key) {
    return Sha256(absl::StrCat("lamina layer ", key.hex()));
  }

  absl::StatusOr<std::optional<LayerId>> DoCopy(const ir::Copy& copy,
                                                const ir::Node& node,
                                                const NodeResult& parent,
                                                const ir::Tree& below,
                                                CopyListing& listing) {
    SourceTree source;
    ir::Tree source_tree;
    std::vector<std::string> source_folders;
    bool from_context = CopiesFromContext(plan_.graph, node);
    if (from_context) {
      const auto& files =
          std::get<ir::LocalFiles>(plan_.graph.nodes[node.inputs.back()].op);
      const LocalContext& context = plan_.options.contexts.at(files.name);
      ASSIGN_OR_RETURN(source,
                       OpenContextFolder(context.path, context.ignore));
    } else if (node.inputs.size() > 1) {
      const NodeResult& from = results_[node.inputs.back().index];
      for (LayerId layer : from.layers) {
        ASSIGN_OR_RETURN(ir::StepDiff diff, store_.ReadDiff(layer));
        source_tree.Apply(diff);
      }
      ASSIGN_OR_RETURN(source_folders, Folders(from));
      source = OpenLayerTree(source_tree, source_folders);
      ASSIGN_OR_RETURN(listing, ListSources(copy, &source));
    }
    ASSIGN_OR_RETURN(TempDir scratch, TempDir::Create(store_.scratch()));
    PlaceOptions place;
    place.now = Now();
    place.scratch = scratch.path();
    ASSIGN_OR_RETURN(
        PlacedCopy placed,
        PlaceCopy(copy, listing, &source, below, TextReader(parent, below),
                  place));
    OpenContent open = [&](const ir::Entry& entry) {
      return OpenOrigin(copy, source, placed.origins.at(entry.path), scratch);
    };
    listing_to_fill_ = &placed;
    absl::StatusOr<std::optional<LayerId>> layer =
        WriteCopied(node, placed.diff, &open, listing, &source);
    if (!from_context) {
      listing = CopyListing();  // The key names the source by its chain.
    }
    return layer;
  }

  static absl::StatusOr<UniqueFd> OpenOrigin(const ir::Copy& copy,
                                             const SourceTree& source,
                                             const ContentOrigin& origin,
                                             const TempDir& scratch) {
    switch (origin.kind) {
      case ContentOrigin::Kind::kSource:
        return source.open(origin.path);
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

  // Writes the layer of a COPY or WORKDIR: one pass over the files. Their
  // digests come out of that pass and complete the listing, hence the key.
  absl::StatusOr<std::optional<LayerId>> WriteCopied(
      const ir::Node& node, ir::StepDiff diff, const OpenContent* open,
      CopyListing& listing, const SourceTree* source = nullptr) {
    bool from_context = CopiesFromContext(plan_.graph, node);
    LayerBlob blob;
    std::string file = JoinPath(store_.scratch(), "layer.tar");
    ir::LimitTimes(diff, NewestTime());
    if (!diff.entries.empty()) {
      OpenContent none = [](const ir::Entry& entry) -> absl::StatusOr<UniqueFd> {
        return absl::InternalError(absl::StrCat("no bytes for ", entry.path));
      };
      ASSIGN_OR_RETURN(blob, WriteLayer(diff, open != nullptr ? *open : none,
                                        options_.layers, file));
    }
    if (from_context) {
      TakeDigests(diff, listing);
      RETURN_IF_ERROR(FillDigests(listing, *source, &store_, true));
      RETURN_IF_ERROR(Remember(listing));
    }
    if (diff.entries.empty()) {
      return std::optional<LayerId>();
    }
    Digest key = StepKey(node, results_,
                         from_context ? listing : CopyListing(),
                         plan_.options);
    // The same files may have been copied from elsewhere before.
    ASSIGN_OR_RETURN(auto known, store_.FindLayer(LayerChain(key)));
    if (known.has_value() && !plan_.options.no_cache) {
      return std::optional<LayerId>(known->id);
    }
    ASSIGN_OR_RETURN(LayerId reserved, store_.ReserveLayer());
    Digest chain = LayerChain(key);
    if (known.has_value()) {
      // --no-cache made it anew; times may differ, so it is another layer.
      chain = Sha256(absl::StrCat(chain.hex(), " ", blob.diff_id.hex()));
    }
    RETURN_IF_ERROR(store_.PublishBlob(file, blob.digest));
    ASSIGN_OR_RETURN(Layer layer, store_.AddLayer(reserved, chain, diff,
                                                  /*unpacked=*/false));
    RETURN_IF_ERROR(store_.SetBlob(layer.id, blob, nullptr));
    return std::optional<LayerId>(layer.id);
  }

  void TakeDigests(const ir::StepDiff& diff, CopyListing& listing) const {
    std::map<std::string, Digest> by_path;
    for (const ir::Entry& entry : diff.entries) {
      by_path[entry.path] = entry.digest;
    }
    for (const auto& [path, origin] : listing_to_fill_->origins) {
      auto digest = by_path.find(path);
      if (origin.kind == ContentOrigin::Kind::kSource &&
          digest != by_path.end()) {
        listing.items[origin.index].item.entry.digest = digest->second;
      }
    }
  }

  absl::Status Remember(const CopyListing& listing) {
    std::vector<std::pair<FileStamp, Digest>> digests;
    for (const PickedItem& picked : listing.items) {
      if (picked.item.entry.type == ir::EntryType::kFile) {
        digests.emplace_back(picked.item.stamp, picked.item.entry.digest);
      }
    }
    return store_.AddFileDigests(digests);
  }

  const Plan& plan_;
  Store& store_;
  runtime::Sandbox& sandbox_;
  const ExecuteOptions& options_;
  const BuildEvents& events_;
  std::vector<NodeResult> results_;
  std::vector<MadeStep> made_;
  std::vector<int> positions_;  // Of each step in its stage, from 1.
  std::map<std::string, int> stage_sizes_;
  BuildResult result_;
  ir::Tree folded_;
  std::vector<LayerId> folded_layers_;
  std::map<LayerId, std::string> folders_;
  const PlacedCopy* listing_to_fill_ = nullptr;
};

}  // namespace

absl::StatusOr<BuildResult> Execute(const Plan& plan, Store& store,
                                    runtime::Sandbox& sandbox,
                                    const ExecuteOptions& options,
                                    const BuildEvents& events) {
  Executor executor(plan, store, sandbox, options, events);
  return executor.Execute();
}

}  // namespace lamina::backend
