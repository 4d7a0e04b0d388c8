#include "backend/plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "backend/check_run.h"
#include "backend/layer_stacks.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

class Planner {
 public:
  Planner(ir::BuildGraph graph, const PlanOptions& options, Store* store,
          const SourceFile& source, Diagnostics& diagnostics)
      : store_(store), source_(source), diagnostics_(diagnostics) {
    plan_.graph = std::move(graph);
    plan_.options = options;
  }

  absl::StatusOr<Plan> Make() {
    size_t count = plan_.graph.nodes.size();
    results_.resize(count);
    known_.assign(count, false);
    unknown_.assign(count, false);
    for (uint32_t index = 0; index < count; ++index) {
      ir::NodeId id{index};
      const ir::Node& node = plan_.graph.nodes[id];
      if (!IsStep(node.op)) {
        ASSIGN_OR_RETURN(results_[index], BaseResult(node.op, store_));
        unknown_[index] = UnknownBase(node.op).has_value();
        known_[index] = !unknown_[index];
        continue;
      }
      RETURN_IF_ERROR(PlanStep(id, node));
    }
    return std::move(plan_);
  }

 private:
  absl::Status PlanStep(ir::NodeId id, const ir::Node& node) {
    if (const auto* run = std::get_if<ir::Run>(&node.op)) {
      CheckSecrets(*run, node, plan_.options, source_, diagnostics_);
    }
    Step step;
    step.node = id;
    // The position makes two equal instructions of a stage different steps.
    int& position = positions_[node.stage];
    step.name = absl::StrCat(plan_.options.definition, "\t", node.stage, "\t",
                             position++);
    std::optional<StepRecord> latest;
    if (store_ != nullptr) {
      ASSIGN_OR_RETURN(latest, store_->LatestStep(step.name));
    }
    if (latest.has_value()) {
      step.expected_seconds = latest->seconds;
    }
    std::vector<SourceRead> reads = SourceReads(plan_.graph, node);
    step.listings.resize(reads.size());
    bool listed = true;
    for (size_t i = 0; i < reads.size(); ++i) {
      if (reads[i].from_context &&
          !ListContext(node, reads[i], step.listings[i])) {
        listed = false;
      }
    }
    if (!listed && !plan_.options.offline) {
      return absl::OkStatus();
    }
    unknown_[id.index] =
        std::any_of(node.inputs.begin(), node.inputs.end(),
                    [this](ir::NodeId input) { return unknown_[input.index]; });
    bool inputs_known =
        std::all_of(node.inputs.begin(), node.inputs.end(),
                    [this](ir::NodeId input) { return known_[input.index]; });
    if (unknown_[id.index]) {
      step.reason = "unknown base";
    } else if (!listed) {
      step.reason = "a source is not in the context";
    } else if (!inputs_known) {
      step.reason = "a step before it runs";
    } else {
      RETURN_IF_ERROR(LookUp(node, reads, latest, step));
    }
    if (step.state == StepState::kCached) {
      ASSIGN_OR_RETURN(
          results_[id.index],
          ResultAfter(results_[node.inputs[0].index], step.record->layer,
                      *store_));
      known_[id.index] = true;
    } else {
      CheckPlatform(node);
    }
    plan_.steps.push_back(std::move(step));
    return absl::OkStatus();
  }

  // Once for each platform: more of the same helps nobody.
  void CheckPlatform(const ir::Node& node) {
    const auto* run = std::get_if<ir::Run>(&node.op);
    if (run != nullptr && !run->platform.empty() &&
        platforms_.insert(run->platform).second) {
      CheckRunPlatform(*run, node, plan_.options, source_, diagnostics_);
    }
  }

  bool ListContext(const ir::Node& node, const SourceRead& read,
                   CopyListing& listing) {
    absl::StatusOr<const SourceTree*> tree = Context(node, read.input);
    if (!tree.ok()) {
      ReportSource(node, read, read.copy.sources.size(), tree.status());
      return false;
    }
    return ListFrom(node, read, **tree, listing);
  }

  // Finds the sources of a COPY; reports what is missing, source by source.
  bool ListFrom(const ir::Node& node, const SourceRead& read,
                const SourceTree& tree, CopyListing& listing) {
    const ir::Copy& copy = read.copy;
    absl::StatusOr<CopyListing> found = ListSources(copy, &tree);
    if (found.ok()) {
      listing = *std::move(found);
      WarnUnmatched(node, read, listing);
      return true;
    }
    bool named = false;
    for (size_t i = 0; i < copy.sources.size(); ++i) {
      ir::Copy one = copy;
      one.sources = {copy.sources[i]};
      absl::StatusOr<CopyListing> alone = ListSources(one, &tree);
      if (!alone.ok()) {
        ReportSource(node, read, i, alone.status());
        named = true;
      }
    }
    if (!named) {
      ReportSource(node, read, copy.sources.size(), found.status());
    }
    return false;
  }

  // `source` is a position among the sources of a COPY; past them, the COPY
  // itself is meant.
  SourceRange SourcePlace(const ir::Node& node, const SourceRead& read,
                          size_t source) const {
    if (read.mount != nullptr) {
      std::vector<SourceRead> reads = SourceReads(plan_.graph, node);
      source = 0;
      while (reads[source].mount != read.mount) {
        ++source;
      }
    }
    return source < node.words.ranges.size() ? node.words.ranges[source]
                                             : KeywordRange(source_, node.source);
  }

  // Where the sources of a COPY are looked for, in the user's words.
  std::string SourceName(const ir::Node& node, const SourceRead& read) const {
    const ir::Node& input = plan_.graph.nodes[node.inputs[read.input]];
    if (read.from_context) {
      return "the build context";
    }
    const auto* base = std::get_if<ir::BaseImage>(&input.op);
    return base != nullptr
               ? absl::StrCat("the image `", base->reference.Familiar(), "`")
               : absl::StrCat("the stage `", input.stage, "`");
  }

  void ReportSource(const ir::Node& node, const SourceRead& read,
                    size_t source, const absl::Status& status) {
    SourceRange place = SourcePlace(node, read, source);
    std::string message(status.message());
    if (plan_.options.offline && absl::IsNotFound(status)) {
      diagnostics_.Warning(
          "missing-source", place,
          absl::StrReplaceAll(
              message, {{": not found",
                         read.from_context
                             ? " is not in the context"
                             : absl::StrCat(" is not in ",
                                            SourceName(node, read))}}));
    } else {
      bool bare = absl::EndsWith(message, ": not found");
      bool pattern = absl::EndsWith(message, "syntax error in pattern");
      diagnostics_.Error(
          pattern ? "bad-pattern" : "missing-source", place,
          absl::StrCat(message,
                       bare && read.from_context
                           ? "; add it to the build context, or see whether "
                             "the ignore file drops it"
                       : bare ? absl::StrCat(" in ", SourceName(node, read))
                       : pattern ? "; close the `[`, or write `[[]` for the "
                                   "character itself"
                                 : ""));
    }
  }

  void WarnUnmatched(const ir::Node& node, const SourceRead& read,
                     const CopyListing& listing) {
    const ir::Copy& copy = read.copy;
    for (const std::string& pattern : listing.unmatched) {
      size_t source =
          std::find(copy.sources.begin(), copy.sources.end(), pattern) -
          copy.sources.begin();
      diagnostics_.Warning(
          "no-match", SourcePlace(node, read, source),
          absl::StrCat("`", pattern, "` matches nothing in ",
                       SourceName(node, read), "; nothing is copied for it"));
    }
  }

  absl::StatusOr<const SourceTree*> Context(const ir::Node& node,
                                            uint32_t input) {
    const auto& files = std::get<ir::LocalFiles>(
        plan_.graph.nodes[node.inputs[input]].op);
    auto known = sources_.find(files.name);
    if (known != sources_.end()) {
      return &known->second;
    }
    auto context = plan_.options.contexts.find(files.name);
    if (context == plan_.options.contexts.end()) {
      return absl::NotFoundError(
          "there is no build context; give a folder to build");
    }
    ASSIGN_OR_RETURN(
        SourceTree tree,
        OpenContextFolder(context->second.path, context->second.ignore));
    return &sources_.emplace(files.name, std::move(tree)).first->second;
  }

  absl::Status LookUp(const ir::Node& node,
                      const std::vector<SourceRead>& reads,
                      const std::optional<StepRecord>& latest, Step& step) {
    if (store_ == nullptr) {
      step.reason = "there is no store yet";
      return absl::OkStatus();
    }
    if (!MayUseCache(plan_.options, node)) {
      step.reason =
          plan_.options.no_cache ? "--no-cache" : "--no-cache-filter";
      return absl::OkStatus();
    }
    bool from_stage = !reads.empty() && !reads[0].from_context;
    if (!from_stage) {
      if (std::holds_alternative<ir::Copy>(node.op) && !reads.empty()) {
        ASSIGN_OR_RETURN(auto prefix,
                         store_->FindStep(PrefixKey(node, results_)));
        if (!prefix.has_value() && !plan_.options.read_everything) {
          step.reason = WhyMissed(node, latest, {});
          return absl::OkStatus();
        }
      }
      for (size_t i = 0; i < reads.size(); ++i) {
        ASSIGN_OR_RETURN(const SourceTree* tree,
                         Context(node, reads[i].input));
        RETURN_IF_ERROR(FillDigests(step.listings[i], *tree, store_, true));
      }
    }
    step.key = StepKey(node, results_,
                       from_stage ? std::vector<CopyListing>() : step.listings,
                       plan_.options);
    ASSIGN_OR_RETURN(step.record, store_->FindStep(*step.key));
    if (step.record.has_value()) {
      step.state = StepState::kCached;
      return absl::OkStatus();
    }
    if (from_stage && plan_.options.read_everything) {
      return LookUpByFiles(node, reads[0], latest, step);
    }
    step.reason = WhyMissed(node, latest,
                            from_stage ? std::vector<CopyListing>()
                                       : step.listings);
    return absl::OkStatus();
  }

  // A stage that was made anew may have the files of the one before.
  absl::Status LookUpByFiles(const ir::Node& node, const SourceRead& read,
                             const std::optional<StepRecord>& latest,
                             Step& step) {
    LayerStacks stacks(*store_);
    ASSIGN_OR_RETURN(
        const ir::Tree* tree,
        stacks.Fold(node.stage,
                    results_[node.inputs[read.input].index].layers));
    // Names and digests are enough; no byte is read.
    std::vector<std::string> folders;
    std::vector<CopyListing> listings(1);
    if (!ListFrom(node, read, OpenLayerTree(*tree, folders), listings[0])) {
      return absl::OkStatus();
    }
    for (const PickedItem& picked : listings[0].items) {
      if (picked.item.entry.type == ir::EntryType::kFile &&
          picked.item.entry.digest.empty()) {
        step.reason = WhyMissed(node, latest, {});
        return absl::OkStatus();
      }
    }
    step.key = StepKey(node, results_, listings, plan_.options);
    ASSIGN_OR_RETURN(step.record, store_->FindStep(*step.key));
    if (step.record.has_value()) {
      step.state = StepState::kCached;
    } else {
      step.reason = WhyMissed(node, latest, listings);
    }
    return absl::OkStatus();
  }

  std::string WhyMissed(const ir::Node& node,
                        const std::optional<StepRecord>& latest,
                        const std::vector<CopyListing>& listings) const {
    return latest.has_value()
               ? CompareInputs(latest->inputs, StepInputs(plan_.graph, node,
                                                          results_, listings))
               : "never built here";
  }

  Plan plan_;
  Store* store_;
  const SourceFile& source_;
  Diagnostics& diagnostics_;
  std::vector<NodeResult> results_;
  std::vector<bool> known_;
  std::vector<bool> unknown_;  // An unknown base is below.
  std::map<std::string, SourceTree> sources_;
  std::map<std::string, int> positions_;
  std::set<std::string> platforms_;  // Foreign ones, checked.
};

}  // namespace

std::optional<std::string> UnknownBase(const ir::Op& op) {
  const auto* base = std::get_if<ir::BaseImage>(&op);
  if (base == nullptr || !base->image_id.empty()) {
    return std::nullopt;
  }
  return absl::StrCat("base `", base->reference.Familiar(),
                      "` is not in the local store: its layers, environment "
                      "and ONBUILD triggers are unknown");
}

bool IsStep(const ir::Op& op) {
  return std::holds_alternative<ir::Run>(op) ||
         std::holds_alternative<ir::Copy>(op) ||
         std::holds_alternative<ir::MakeDir>(op);
}

std::vector<SourceRead> SourceReads(const ir::BuildGraph& graph,
                                    const ir::Node& node) {
  auto is_context = [&](uint32_t input) {
    return std::holds_alternative<ir::LocalFiles>(
        graph.nodes[node.inputs[input]].op);
  };
  std::vector<SourceRead> reads;
  if (const auto* copy = std::get_if<ir::Copy>(&node.op)) {
    if (node.inputs.size() > 1) {
      reads.push_back({*copy, 1, is_context(1), nullptr});
    }
  } else if (const auto* run = std::get_if<ir::Run>(&node.op)) {
    for (const ir::Mount& mount : run->mounts) {
      if (mount.input.has_value() && is_context(*mount.input)) {
        SourceRead read;
        read.copy = MountedFiles(mount);
        read.input = *mount.input;
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
  copy.destination = "/";
  return copy;
}

bool MayUseCache(const PlanOptions& options, const ir::Node& node) {
  return !options.no_cache && !options.no_cache_stages.contains(node.stage);
}

absl::StatusOr<NodeResult> BaseResult(const ir::Op& op, Store* store) {
  NodeResult result;
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

absl::Status FillDigests(CopyListing& listing, const SourceTree& source,
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
    ASSIGN_OR_RETURN(UniqueFd fd, source.open(entry.path));
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

absl::StatusOr<Plan> MakePlan(ir::BuildGraph graph, const PlanOptions& options,
                              Store* store, const SourceFile& source,
                              Diagnostics& diagnostics) {
  Planner planner(std::move(graph), options, store, source, diagnostics);
  return planner.Make();
}

}  // namespace lamina::backend
