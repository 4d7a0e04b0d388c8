#include "backend/make_report.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "backend/forecast.h"
#include "backend/report_words.h"
#include "backend/waste.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

struct Runtime {
  absl::string_view name;
  int layers;
  absl::string_view note;
};

// Layers that a runtime takes, base included (optimiser.md 2).
constexpr Runtime kRuntimes[] = {
    {"docker", 125, ""},
    {"podman", 480, ""},
    {"containerd", 400, "its EROFS snapshotter takes about 100"},
};

class Reporter {
 public:
  Reporter(const Plan& plan, const PlannedExport& planned,
           const ExportPolicy& policy, const SourceFile& source,
           const ReportFacts& facts)
      : plan_(plan), planned_(planned), policy_(policy), source_(source),
        facts_(facts), steps_of_nodes_(StepsOfNodes(plan)) {}

  PlanReport Make() {
    report_.file = source_.name();
    report_.digest = Sha256(source_.text()).ToString();
    report_.platform = facts_.platform;
    report_.level = facts_.level;
    report_.lock = facts_.lock;
    report_.target = plan_.graph.targets[0].name;
    for (const ir::Node& node : plan_.graph.nodes) {
      if (std::optional<std::string> gap = UnknownBase(node.op)) {
        report_.unknown.push_back(*gap);
      }
    }
    for (const auto& [source, state] : plan_.options.remotes) {
      if (!state.unknown.empty()) {
        report_.unknown.push_back(state.unknown);
      }
    }
    report_.pulls = !RemotesToFetch(plan_).empty();
    report_.base_bytes = planned_.predicted.base_bytes;
    report_.sizes_known = planned_.predicted.complete;
    AddStages();
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      AddStep(i);
    }
    AddOwnSizes();
    AddRewrites();
    AddSkipped();
    AddWritten();
    AddLayers();
    AddDecisions();
    AddLimits();
    AddSchedule();
    AddTimeline();
    AddWaste();
    return std::move(report_);
  }

 private:
  // --- steps ---------------------------------------------------------------

  const ir::Node& NodeOf(const ReportStep& step) const {
    return plan_.graph.nodes[plan_.steps[step.number - 1].node];
  }

  // In the order of their first step, with what stands below it.
  void AddStages() {
    std::set<std::string> seen;
    for (const Step& step : plan_.steps) {
      const ir::Node& node = plan_.graph.nodes[step.node];
      if (!seen.insert(node.stage).second) {
        continue;
      }
      const ir::Node& below = plan_.graph.nodes[node.inputs[0]];
      ReportStage stage;
      stage.name = node.stage;
      stage.base = IsStep(below.op) ? below.stage : SourceName(below.op);
      if (const auto* image = std::get_if<ir::BaseImage>(&below.op)) {
        stage.base_state = image->image_id.empty() ? "unknown" : "cached";
      }
      report_.stages.push_back(std::move(stage));
    }
  }

  void Locate(SourceRange range, ReportStep& step) const {
    SourcePosition begin = source_.Position(range.begin);
    SourcePosition end = source_.Position(range.end);
    step.file = source_.name();
    step.line = static_cast<int>(begin.line);
    step.column = static_cast<int>(begin.column);
    step.end_line = static_cast<int>(end.line);
    step.end_column = static_cast<int>(end.column);
  }

  ReportStep Describe(const ir::BuildGraph& graph, const ir::Node& node,
                      const std::map<uint32_t, int>& numbers) const {
    ReportStep step;
    step.kind = std::string(Kind(node));
    step.stage = node.stage;
    step.text = FirstLine(node.text);
    Locate(node.source, step);
    for (ir::NodeId input : node.inputs) {
      auto number = numbers.find(input.index);
      if (number != numbers.end()) {
        step.inputs.push_back(number->second);
        step.input_labels.push_back(
            step.inputs.size() > 1 || step.on_base ? CopiedPath(node) : "");
      } else {
        step.on_base = step.on_base || input == node.inputs[0];
        step.base_inputs.push_back(SourceName(graph.nodes[input].op));
      }
    }
    const auto* run = std::get_if<ir::Run>(&node.op);
    if (run != nullptr) {
      AddDetails(*run, step);
    }
    return step;
  }

  void AddStep(size_t position) {
    const Step& planned = plan_.steps[position];
    const ir::Node& node = plan_.graph.nodes[planned.node];
    int number = static_cast<int>(position) + 1;
    ReportStep step = Describe(plan_.graph, node, numbers_);
    numbers_[planned.node.index] = number;
    step.number = number;
    step.state = planned.state == StepState::kCached ? ReportState::kCached
                                                     : ReportState::kRun;
    step.reason = planned.reason;
    step.reason_code = ReasonCode(planned.reason);
    step.key = planned.key.has_value() ? planned.key->ToString() : "";
    step.bytes = facts_.sizes[position];
    if (step.state == ReportState::kCached) {
      step.seconds = {.mean = 0.0, .exact = true, .source = "cached"};
      ++report_.cached;
    } else {
      step.seconds =
          ExpectSeconds(planned, plan_.graph.nodes[planned.node].text,
                        facts_.builds);
      ++report_.run;
    }
    bool runs = step.state == ReportState::kRun;
    step.reason_step = FirstToRun(step);
    step.fused = runs && node.same_sandbox &&
                 report_.steps[step.inputs[0] - 1].state == ReportState::kRun;
    report_.network = report_.network || (runs && !step.network.empty());
    report_.steps.push_back(std::move(step));
  }

  // Of a step that runs because one that it reads does: the first of those.
  int FirstToRun(const ReportStep& step) const {
    if (step.reason_code != "parent-changed" &&
        step.reason_code != "parent-runs") {
      return 0;
    }
    for (int input : step.inputs) {
      const ReportStep& read = report_.steps[input - 1];
      if (read.state == ReportState::kRun) {
        return read.reason_step > 0 ? read.reason_step : input;
      }
    }
    return 0;
  }

  void AddOwnSizes() {
    for (size_t i = 0; i < planned_.chain.steps.size(); ++i) {
      int position = steps_of_nodes_[planned_.chain.steps[i].index];
      report_.steps[position].bytes = planned_.predicted.bytes[i];
    }
  }

  void AddSkipped() {
    for (const SkippedStep& skipped : facts_.skipped) {
      ReportStep step;
      step.kind = absl::StrCat(
          skipped.text.substr(0, skipped.text.find(' ')));
      std::transform(step.kind.begin(), step.kind.end(), step.kind.begin(),
                     [](unsigned char c) { return std::tolower(c); });
      step.stage = skipped.stage;
      step.text = FirstLine(skipped.text);
      Locate(skipped.source, step);
      step.state = ReportState::kSkipped;
      step.reason = skipped.reason;
      step.reason_code = "not-needed";
      report_.steps.push_back(std::move(step));
      ++report_.skipped;
    }
  }

  // The graph before the passes, with the states that its steps have now.
  void AddWritten() {
    const ir::BuildGraph& graph =
        facts_.written != nullptr ? *facts_.written : plan_.graph;
    std::map<std::pair<std::string, uint32_t>, const ReportStep*> states;
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const ir::Node& node = plan_.graph.nodes[plan_.steps[i].node];
      states[{node.stage, node.source.begin}] = &report_.steps[i];
    }
    std::map<uint32_t, int> numbers;
    for (uint32_t index = 0; index < graph.nodes.size(); ++index) {
      const ir::Node& node = graph.nodes[ir::NodeId{index}];
      if (!IsStep(node.op)) {
        continue;
      }
      ReportStep step = Describe(graph, node, numbers);
      step.number = static_cast<int>(report_.before.size()) + 1;
      numbers[index] = step.number;
      auto now = states.find({node.stage, node.source.begin});
      if (now != states.end()) {
        step.became = now->second->number;
        step.state = now->second->state;
        step.reason = now->second->reason;
        step.reason_code = now->second->reason_code;
        step.bytes = now->second->bytes;
        step.seconds = now->second->seconds;
      } else {
        step.state = ReportState::kSkipped;
        step.reason = WhyGone(node);
        step.reason_code = "rewritten";
      }
      report_.before.push_back(std::move(step));
    }
  }

  std::string WhyGone(const ir::Node& node) const {
    for (const ir::Applied& applied : Applied()) {
      if (applied.step == node.source) {
        return applied.text;
      }
    }
    return "not needed";
  }

  // A step that went has no number: the text names it.
  void AddRewrites() {
    for (const ir::Applied& applied : Applied()) {
      ReportRewrite rewrite = {.pass = std::string(applied.pass),
                               .text = applied.text,
                               .proof = std::string(applied.rule)};
      for (const ReportStep& step : report_.steps) {
        const ir::Node& node = NodeOf(step);
        if (node.source == applied.step || node.source == applied.other) {
          rewrite.steps.push_back(step.number);
        }
      }
      report_.rewrites.push_back(std::move(rewrite));
    }
  }

  const std::vector<ir::Applied>& Applied() const {
    static const std::vector<ir::Applied> kNone;
    return facts_.applied != nullptr ? *facts_.applied : kNone;
  }

  // --- layers --------------------------------------------------------------

  // Number in the plan of step `step`, from 1, of the target's chain.
  int Number(int step) const {
    return steps_of_nodes_[planned_.chain.steps[step - 1].index] + 1;
  }

  std::string Label(int step) const {
    return absl::StrCat(Number(step), " ",
                        report_.steps[Number(step) - 1].text);
  }

  void AddLayers() {
    if (!planned_.layout.has_value()) {
      return;
    }
    const ir::Layout& layout = *planned_.layout;
    for (const ir::LayoutLayer& planned : layout.layers) {
      int index = static_cast<int>(report_.layers.size());
      ReportLayer layer;
      layer.bytes.exact = true;
      bool known = true;
      for (int step = planned.first; step <= planned.last; ++step) {
        const Estimate& bytes = planned_.predicted.bytes[step - 1];
        known = known && bytes.mean.has_value();
        layer.bytes.exact = layer.bytes.exact && bytes.exact;
        if (layout.mode != ir::LayoutMode::kPartition) {
          layer.steps.push_back(Number(step));
          report_.steps[Number(step) - 1].layer = index;
        }
      }
      layer.instruction = Instruction(planned);
      layer.bytes.source = known ? "predicted" : "unknown";
      if (known) {
        layer.bytes.mean = static_cast<double>(planned.bytes);
        layer.bytes.low = layer.bytes.high = *layer.bytes.mean;
      }
      layer.dead_bytes = planned.dead_bytes;
      layer.changed = static_cast<double>(planned.changed) /
                      static_cast<double>(std::max<int64_t>(
                          1, layout.total_weight));
      layer.why = planned.role;
      report_.layers.push_back(std::move(layer));
    }
    report_.chosen_layers = static_cast<int>(layout.layers.size());
    report_.epochs_source = layout.epochs_source;
    // Sizes that rest on a guess are not shown: unknown is unknown.
    if (planned_.predicted.complete) {
      report_.curve = layout.curve;
      report_.knee = layout.knee;
      report_.stored = layout.stored;
      report_.update = layout.update;
      report_.verbatim_stored = layout.verbatim_stored;
      report_.verbatim_update = layout.verbatim_update;
    }
  }

  std::string Instruction(const ir::LayoutLayer& layer) const {
    if (layer.atoms.empty()) {
      return layer.first == layer.last
                 ? Label(layer.first)
                 : absl::StrCat(Label(layer.first), " … ", Label(layer.last));
    }
    constexpr size_t kShown = 3;
    std::vector<std::string> shown(
        layer.atoms.begin(),
        layer.atoms.begin() + std::min(kShown, layer.atoms.size()));
    size_t more = layer.atoms.size() - shown.size();
    return absl::StrCat(absl::StrJoin(shown, ", "),
                        more > 0 ? absl::StrCat(" and ", more, " more") : "");
  }

  void AddDecisions() {
    if (!planned_.layout.has_value() ||
        planned_.layout->mode == ir::LayoutMode::kPartition) {
      return;
    }
    for (const ir::LayoutMerge& merge : planned_.layout->merges) {
      ReportDecision decision;
      decision.after = Number(merge.step);
      decision.before = Number(merge.step + 1);
      decision.reason = std::string(ir::MergeReasonName(merge.reason));
      decision.text = "some sizes are not known yet";
      if (planned_.predicted.complete) {
        decision.text = MergeText(merge);
        decision.saves_bytes = merge.stored;
      }
      report_.decisions.push_back(std::move(decision));
    }
    for (const ir::LayoutCut& cut : planned_.layout->cuts) {
      ReportDecision decision;
      decision.after = Number(cut.step);
      decision.before = Number(cut.step + 1);
      decision.cut = true;
      decision.reason = cut.forced.empty() ? "change-rate" : "forced";
      decision.text = "some sizes are not known yet";
      if (planned_.predicted.complete || !cut.forced.empty()) {
        decision.text = CutText(cut);
        decision.saves_bytes = cut.saves;
      }
      report_.decisions.push_back(std::move(decision));
    }
    std::sort(report_.decisions.begin(), report_.decisions.end(),
              [](const ReportDecision& a, const ReportDecision& b) {
                return a.after < b.after;
              });
  }

  void AddLimits() {
    report_.jobs = facts_.jobs;
    int own = 0;
    for (const Estimate& bytes : planned_.predicted.bytes) {
      bool empty = bytes.mean.has_value() && *bytes.mean == 0;
      own += empty && !policy_.keep_empty ? 0 : 1;
    }
    report_.verbatim_layers = own;
    report_.base_layers =
        static_cast<int>(planned_.predicted.chain.base_layers.size());
    report_.limit = policy_.max_layers;
    report_.limit_name = policy_.limit_name;
    int total = report_.base_layers + static_cast<int>(report_.layers.size());
    for (const Runtime& runtime : kRuntimes) {
      report_.fits.push_back({std::string(runtime.name), runtime.layers,
                              total <= runtime.layers,
                              std::string(total > 100 ? runtime.note : "")});
    }
    for (const ReportLayer& layer : report_.layers) {
      if (layer.steps.size() > 1) {
        report_.rewrites.push_back(
            {"merge-layers", layer.steps,
             absl::StrCat("steps ", absl::StrJoin(layer.steps, "+"),
                          " share a layer"),
             "adjacent-diffs"});
      }
    }
  }

  // --- time ----------------------------------------------------------------

  void AddSchedule() {
    std::vector<double> seconds;
    std::vector<std::vector<int>> inputs;
    std::set<std::string> sources;
    bool known = true;
    for (const ReportStep& step : report_.steps) {
      if (step.state == ReportState::kSkipped) {
        continue;
      }
      known = known && step.seconds.mean.has_value();
      seconds.push_back(step.seconds.mean.value_or(0));
      inputs.emplace_back();
      for (int input : step.inputs) {
        inputs.back().push_back(input - 1);
      }
    }
    std::vector<int> path;
    double total = ScheduleSeconds(seconds, inputs, facts_.jobs, &path);
    report_.seconds.source = known ? "earlier builds" : "unknown";
    if (known) {
      report_.seconds.mean = report_.seconds.low = report_.seconds.high = total;
    }
    for (int step : path) {
      report_.critical_path.push_back(step + 1);
    }
  }

  void AddTimeline() {
    if (facts_.builds.empty()) {
      return;
    }
    std::map<std::pair<std::string, std::string>, int> numbers;
    for (const ReportStep& step : report_.steps) {
      if (step.number > 0) {
        numbers.try_emplace(
            {step.stage, plan_.graph.nodes[plan_.steps[step.number - 1].node]
                             .text},
            step.number);
      }
    }
    for (const BuiltStep& built : facts_.builds[0].steps) {
      auto number = numbers.find({built.stage, built.text});
      report_.timeline.push_back(
          {number == numbers.end() ? 0 : number->second, built.stage,
           FirstLine(built.text), built.state, built.start, built.seconds});
    }
    report_.timeline_build = facts_.last_build_time;
  }

  void AddWaste() {
    std::vector<WasteLayer> layers;
    std::vector<int> numbers;
    for (size_t i = 0; i < planned_.chain.steps.size(); ++i) {
      const ir::Node& node = plan_.graph.nodes[planned_.chain.steps[i]];
      layers.push_back(
          {&planned_.predicted.chain.diffs[i], node.text, /*own=*/true});
      numbers.push_back(Number(static_cast<int>(i) + 1));
    }
    report_.waste = WasteRows(FindWaste(layers), numbers);
  }

  const Plan& plan_;
  const PlannedExport& planned_;
  const ExportPolicy& policy_;
  const SourceFile& source_;
  const ReportFacts& facts_;
  const std::vector<int> steps_of_nodes_;
  std::map<uint32_t, int> numbers_;  // Of steps, by node.
  PlanReport report_;
};

}  // namespace

PlanReport MakeReport(const Plan& plan, const PlannedExport& planned,
                      const ExportPolicy& policy, const SourceFile& source,
                      const ReportFacts& facts) {
  return Reporter(plan, planned, policy, source, facts).Make();
}

}  // namespace lamina::backend
