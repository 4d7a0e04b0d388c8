#include "backend/plan.h"

#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

// One line an input; the name is all before the last blank.
std::map<std::string, std::string> ReadInputs(absl::string_view text) {
  std::map<std::string, std::string> inputs;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    size_t blank = line.rfind(' ');
    if (blank != absl::string_view::npos) {
      inputs[std::string(line.substr(0, blank))] =
          std::string(line.substr(blank + 1));
    }
  }
  return inputs;
}

// Names the inputs that differ, in the user's words.
std::string CompareInputs(absl::string_view before, absl::string_view now) {
  std::map<std::string, std::string> old_inputs = ReadInputs(before);
  std::map<std::string, std::string> new_inputs = ReadInputs(now);
  if (old_inputs["op"] != new_inputs["op"]) {
    return "the instruction changed";
  }
  if (old_inputs["input0"] != new_inputs["input0"]) {
    return "the step before it changed";
  }
  std::vector<std::string> changed;
  for (const auto& [name, digest] : new_inputs) {
    auto old = old_inputs.find(name);
    if (old == old_inputs.end()) {
      changed.push_back(absl::StrCat(name, " is new"));
    } else if (old->second != digest) {
      changed.push_back(absl::StrCat(name, " changed"));
    }
  }
  for (const auto& [name, digest] : old_inputs) {
    if (!new_inputs.contains(name)) {
      changed.push_back(absl::StrCat(name, " is gone"));
    }
  }
  if (changed.empty()) {
    return "its result is no longer in the store";
  }
  std::string more = changed.size() > 1
                         ? absl::StrCat(" (and ", changed.size() - 1, " more)")
                         : "";
  return absl::StrCat(changed[0], more);
}

// The keyword alone marks an instruction better than all its lines.
SourceRange Keyword(const SourceFile& source, SourceRange range) {
  absl::string_view text = source.Slice(range);
  size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
  return {range.begin, range.begin + static_cast<uint32_t>(end)};
}

// The place of a word inside an instruction, or the keyword.
SourceRange FindWord(const SourceFile& source, SourceRange range,
                     absl::string_view word) {
  size_t at = source.Slice(range).find(word);
  if (at == absl::string_view::npos) {
    return Keyword(source, range);
  }
  uint32_t begin = range.begin + static_cast<uint32_t>(at);
  return {begin, begin + static_cast<uint32_t>(word.size())};
}

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
    return std::move(plan_);
  }

 private:
  absl::Status PlanStep(ir::NodeId id, const ir::Node& node) {
    if (const auto* run = std::get_if<ir::Run>(&node.op)) {
      CheckMounts(*run, node);
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
      ASSIGN_OR_RETURN(
          results_[id.index],
          ResultAfter(results_[node.inputs[0].index], step.record->layer,
                      *store_));
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
    bool known = !IsRemote(op) ||
                 RemoteStateOf(op, plan_.options).identity.has_value();
    return known ? "" : "unknown source";
  }

  // Secrets and agents that a step cannot do without; what is not built yet.
  void CheckMounts(const ir::Run& run, const ir::Node& node) {
    for (const ir::Mount& mount : run.mounts) {
      bool secret = mount.type == ir::Mount::Type::kSecret;
      bool agent = mount.type == ir::Mount::Type::kSsh;
      const std::set<std::string>& given =
          secret ? plan_.options.secrets : plan_.options.agents;
      if ((secret || agent) && mount.required && !given.contains(mount.id)) {
        std::optional<std::string> near =
            Closest(mount.id, {given.begin(), given.end()});
        std::string hint =
            near.has_value() ? absl::StrCat("did you mean `", *near, "`?")
            : secret         ? absl::StrCat("pass it with `--secret id=",
                                            mount.id, ",src=FILE`")
                             : absl::StrCat("pass it with `--ssh ", mount.id,
                                            "=SOCKET`");
        diagnostics_.Error("missing-secret",
                           FindWord(source_, node.source, mount.id),
                           absl::StrCat(secret ? "secret" : "ssh agent", " `",
                                        mount.id, "` was not given; ", hint));
      }
      if (mount.type == ir::Mount::Type::kCache && mount.input.has_value()) {
        diagnostics_.Error("unsupported-mount",
                           FindWord(source_, node.source, "from="),
                           "a cache mount that starts with files of another "
                           "tree (`from`) cannot be done yet");
      }
    }
  }

  // Finds the sources of a COPY; reports what is missing, source by source.
  bool ListContext(const ir::Node& node, const SourceRead& read,
                   CopyListing& listing) {
    const ir::Copy& copy = read.copy;
    absl::StatusOr<SourceTrees> trees = Contexts(node, read);
    if (!trees.ok()) {
      ReportSource(node, copy.sources.size(), trees.status());
      return false;
    }
    absl::StatusOr<CopyListing> found = ListSources(copy, *trees);
    if (found.ok()) {
      listing = *std::move(found);
      WarnUnmatched(node, copy, listing);
      return true;
    }
    bool named = false;
    for (size_t i = 0; i < copy.sources.size(); ++i) {
      ir::Copy one = copy;
      one.sources = {copy.sources[i]};
      one.source_inputs = {copy.InputOf(i)};
      absl::StatusOr<CopyListing> alone = ListSources(one, *trees);
      if (!alone.ok()) {
        ReportSource(node, i, alone.status());
        named = true;
      }
    }
    if (!named) {
      ReportSource(node, copy.sources.size(), found.status());
    }
    return false;
  }

  // `source` is a position among the sources of a COPY; past them, the COPY
  // itself is meant.
  SourceRange SourcePlace(const ir::Node& node, size_t source) const {
    return source < node.words.ranges.size() ? node.words.ranges[source]
                                             : Keyword(source_, node.source);
  }

  void ReportSource(const ir::Node& node, size_t source,
                    const absl::Status& status) {
    SourceRange place = SourcePlace(node, source);
    std::string message(status.message());
    if (plan_.options.offline && absl::IsNotFound(status)) {
      diagnostics_.Warning(
          "missing-source", place,
          absl::StrReplaceAll(message, {{": not found", " is not in the context"}}));
    } else {
      bool bare = absl::EndsWith(message, ": not found");
      diagnostics_.Error(
          "missing-source", place,
          absl::StrCat(message, bare ? "; add it to the build context, or see "
                                       "whether the ignore file drops it"
                                     : ""));
    }
  }

  void WarnUnmatched(const ir::Node& node, const ir::Copy& copy,
                     const CopyListing& listing) {
    for (const std::string& pattern : listing.unmatched) {
      size_t source =
          std::find(copy.sources.begin(), copy.sources.end(), pattern) -
          copy.sources.begin();
      diagnostics_.Warning(
          "no-match", SourcePlace(node, source),
          absl::StrCat("`", pattern,
                       "` matches nothing in the build context; nothing is "
                       "copied for it"));
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
    NodeResult unmade =
        UnmadeResult(results_[node.inputs[0].index], *step.key);
    step.reason =
        latest.has_value() && latest->key == unmade.chain
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

  std::string WhyMissed(const ir::Node& node,
                        const std::optional<StepRecord>& latest,
                        const std::vector<CopyListing>& listings) const {
    return latest.has_value()
               ? CompareInputs(latest->inputs,
                               StepInputs(node, results_, listings))
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
};

}  // namespace

absl::StatusOr<Plan> MakePlan(ir::BuildGraph graph, const PlanOptions& options,
                              Store* store, const SourceFile& source,
                              Diagnostics& diagnostics) {
  Planner planner(std::move(graph), options, store, source, diagnostics);
  return planner.Make();
}

}  // namespace lamina::backend
