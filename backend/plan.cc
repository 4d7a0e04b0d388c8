#include "backend/plan.h"

#include <algorithm>
#include <deque>
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
    unknown_.resize(count);
    for (uint32_t index = 0; index < count; ++index) {
      ir::NodeId id{index};
      const ir::Node& node = plan_.graph.nodes[id];
      if (!IsStep(node.op)) {
        ASSIGN_OR_RETURN(results_[index],
                         BaseResult(node.op, plan_.options, store_));
        unknown_[index] = WhyUnknown(node.op);
        known_[index] = unknown_[index].empty();
        continue;
      }
      RETURN_IF_ERROR(PlanStep(id, node));
    }
    for (const Step& step : plan_.steps) {
      if (step.state == StepState::kRun) {
        CheckPlatform(plan_.graph.nodes[step.node]);
      }
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
      step.earlier = latest;
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
    for (ir::NodeId input : node.inputs) {
      if (unknown_[id.index].empty()) {
        unknown_[id.index] = unknown_[input.index];
      }
    }
    bool inputs_known =
        std::all_of(node.inputs.begin(), node.inputs.end(),
                    [this](ir::NodeId input) { return known_[input.index]; });
    if (!unknown_[id.index].empty()) {
      step.reason = unknown_[id.index];
    } else if (!listed) {
      step.reason = "a source is not in the context";
    } else if (node.same_sandbox && unmade_.contains(node.inputs[0])) {
      RETURN_IF_ERROR(LookUpJoined(node, step));
    } else if (!inputs_known) {
      step.reason = "a step before it runs";
    } else {
      RETURN_IF_ERROR(LookUp(node, reads, latest, step));
    }
    if (step.state == StepState::kCached) {
      ASSIGN_OR_RETURN(results_[id.index],
                       ResultAfter(results_[node.inputs[0].index],
                                   step.record->layer, *store_));
      known_[id.index] = true;
    } else if (step.key.has_value() &&
               std::holds_alternative<ir::Run>(node.op)) {
      results_[id.index] =
          UnmadeResult(results_[node.inputs[0].index], *step.key);
      unmade_.insert(id);
    }
    plan_.steps.push_back(std::move(step));
    return absl::OkStatus();
  }

  std::string WhyUnknown(const ir::Op& op) const {
    if (UnknownBase(op).has_value()) {
      return "unknown base";
    }
    bool known =
        !IsRemote(op) || RemoteStateOf(op, plan_.options).identity.has_value();
    return known ? "" : "unknown source";
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
    absl::StatusOr<SourceTrees> trees = Contexts(node, read);
    if (!trees.ok()) {
      ReportSource(node, read, read.copy.sources.size(), trees.status());
      return false;
    }
    return ListFrom(node, read, *trees, listing);
  }

  // Finds the sources of a COPY; reports what is missing, source by source.
  bool ListFrom(const ir::Node& node, const SourceRead& read,
                const SourceTrees& trees, CopyListing& listing) {
    const ir::Copy& copy = read.copy;
    absl::StatusOr<CopyListing> found = ListSources(copy, trees);
    if (found.ok()) {
      listing = *std::move(found);
      WarnUnmatched(node, read, listing);
      return true;
    }
    bool named = false;
    for (size_t i = 0; i < copy.sources.size(); ++i) {
      ir::Copy one = copy;
      one.sources = {copy.sources[i]};
      one.source_inputs = {copy.InputOf(i)};
      absl::StatusOr<CopyListing> alone = ListSources(one, trees);
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
    return source < node.words.ranges.size()
               ? node.words.ranges[source]
               : KeywordRange(source_, node.source);
  }

  // What a source is looked for in. Past the sources, that of the first.
  const ir::Node& Searched(const ir::Node& node, const SourceRead& read,
                           size_t source) const {
    const ir::Copy& copy = read.copy;
    uint32_t tree = source < copy.sources.size() ? copy.InputOf(source) : 1;
    return plan_.graph.nodes[node.inputs[read.inputs[tree - 1]]];
  }

  // The same in the user's words.
  static std::string SourceName(const ir::Node& input) {
    if (std::holds_alternative<ir::LocalFiles>(input.op)) {
      return "the build context";
    }
    const auto* base = std::get_if<ir::BaseImage>(&input.op);
    return base != nullptr
               ? absl::StrCat("the image `", base->reference.Familiar(), "`")
               : absl::StrCat("the stage `", input.stage, "`");
  }

  void ReportSource(const ir::Node& node, const SourceRead& read, size_t source,
                    const absl::Status& status) {
    SourceRange place = SourcePlace(node, read, source);
    const ir::Node& input = Searched(node, read, source);
    bool in_context = std::holds_alternative<ir::LocalFiles>(input.op);
    std::string message(status.message());
    if (plan_.options.offline && absl::IsNotFound(status)) {
      diagnostics_.Warning(
          "missing-source", place,
          absl::StrReplaceAll(
              message,
              {{": not found",
                absl::StrCat(" is not in ", in_context ? "the context"
                                                       : SourceName(input))}}));
    } else {
      bool bare = absl::EndsWith(message, ": not found");
      bool pattern = absl::EndsWith(message, "syntax error in pattern");
      diagnostics_.Error(
          pattern ? "bad-pattern" : "missing-source", place,
          absl::StrCat(message,
                       bare && in_context
                           ? "; add it to the build context, or see whether "
                             "the ignore file drops it"
                       : bare    ? absl::StrCat(" in ", SourceName(input))
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
                       SourceName(Searched(node, read, source)),
                       "; nothing is copied for it"));
    }
  }

  // Null for what is not read: the bytes of remote sources.
  absl::StatusOr<SourceTrees> Contexts(const ir::Node& node,
                                       const SourceRead& read) {
    SourceTrees trees;
    for (uint32_t input : read.inputs) {
      trees.push_back(nullptr);
      const ir::Op& op = plan_.graph.nodes[node.inputs[input]].op;
      if (const auto* files = std::get_if<ir::LocalFiles>(&op)) {
        ASSIGN_OR_RETURN(trees.back(), Context(*files));
      }
    }
    return trees;
  }

  absl::StatusOr<const SourceTree*> Context(const ir::LocalFiles& files) {
    auto known = sources_.find(files.name);
    if (known != sources_.end()) {
      return &known->second;
    }
    auto context = plan_.options.contexts.find(files.name);
    if (context == plan_.options.contexts.end()) {
      return absl::NotFoundError(
          "there is no build context; give a folder to build");
    }
    ASSIGN_OR_RETURN(SourceTree tree, OpenContext(context->second));
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
      step.reason = plan_.options.no_cache ? "--no-cache" : "--no-cache-filter";
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
        ASSIGN_OR_RETURN(SourceTrees trees, Contexts(node, reads[i]));
        RETURN_IF_ERROR(FillDigests(step.listings[i], trees, store_, true));
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
    NodeResult unmade = UnmadeResult(results_[node.inputs[0].index], *step.key);
    step.reason = latest.has_value() && latest->key == unmade.chain
                      ? "it shared a sandbox with a step that changed"
                      : WhyMissed(node, latest,
                                  from_stage ? std::vector<CopyListing>()
                                             : step.listings);
    return absl::OkStatus();
  }

  // A step that ran in the sandbox of those before it: if it is cached, it is
  // so together with them, as one layer.
  absl::Status LookUpJoined(const ir::Node& node, Step& step) {
    step.key = StepKey(node, results_, {}, plan_.options);
    ASSIGN_OR_RETURN(step.record, store_->FindStep(*step.key));
    if (!step.record.has_value()) {
      step.reason = "a step before it runs";
      return absl::OkStatus();
    }
    step.state = StepState::kCached;
    std::vector<ir::NodeId> joined;
    for (ir::NodeId id = node.inputs[0]; unmade_.contains(id);
         id = plan_.graph.nodes[id].inputs[0]) {
      joined.push_back(id);
      if (!plan_.graph.nodes[id].same_sandbox) {
        break;
      }
    }
    ir::NodeId below = plan_.graph.nodes[joined.back()].inputs[0];
    for (Step& other : plan_.steps) {
      if (std::count(joined.begin(), joined.end(), other.node) == 0) {
        continue;
      }
      other.state = StepState::kCached;
      other.reason.clear();
      other.key.reset();
      other.record = StepRecord();
      other.record->created = step.record->created;
      results_[other.node.index] = results_[below.index];
      known_[other.node.index] = true;
      unmade_.erase(other.node);
    }
    return absl::OkStatus();
  }

  // A stage that was made anew may have the files of the one before.
  absl::Status LookUpByFiles(const ir::Node& node, const SourceRead& read,
                             const std::optional<StepRecord>& latest,
                             Step& step) {
    ASSIGN_OR_RETURN(SourceTrees trees, Contexts(node, read));
    LayerStacks stacks(*store_);
    std::deque<SourceTree> made;
    // Names and digests are enough, but files that a RUN left may have none.
    std::deque<std::vector<std::string>> folders;
    bool readable = true;
    for (size_t i = 0; i < trees.size(); ++i) {
      ir::NodeId input = node.inputs[read.inputs[i]];
      const ir::Op& op = plan_.graph.nodes[input].op;
      if (trees[i] == nullptr && !IsRemote(op)) {
        const std::vector<LayerId>& layers = results_[input.index].layers;
        ASSIGN_OR_RETURN(const ir::Tree* tree,
                         stacks.Fold(absl::StrCat(i), layers));
        folders.emplace_back();
        ASSIGN_OR_RETURN(bool unpacked, AreUnpacked(layers));
        if (unpacked) {
          ASSIGN_OR_RETURN(folders.back(), stacks.Folders(layers));
        }
        readable = readable && unpacked;
        trees[i] = &made.emplace_back(OpenLayerTree(*tree, folders.back()));
      }
    }
    std::vector<CopyListing> listings(1);
    if (!ListFrom(node, read, trees, listings[0])) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(FillDigests(listings[0], trees, store_, readable));
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

  // Nothing is unpacked for a plan.
  absl::StatusOr<bool> AreUnpacked(const std::vector<LayerId>& layers) const {
    for (LayerId id : layers) {
      ASSIGN_OR_RETURN(Layer layer, store_->GetLayer(id));
      if (!layer.unpacked) {
        return false;
      }
    }
    return true;
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
  std::set<ir::NodeId> unmade_;  // RUNs with a key that are not cached.
  // Why nothing is known of a step: something below it, or that it copies.
  std::vector<std::string> unknown_;
  std::map<std::string, SourceTree> sources_;
  std::map<std::string, int> positions_;
  std::set<std::string> platforms_;  // Foreign ones, checked.
};

}  // namespace

absl::StatusOr<Plan> MakePlan(ir::BuildGraph graph, const PlanOptions& options,
                              Store* store, const SourceFile& source,
                              Diagnostics& diagnostics) {
  Planner planner(std::move(graph), options, store, source, diagnostics);
  return planner.Make();
}

}  // namespace lamina::backend
