#include "cli/plan_formats/plan_graph.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;
using backend::ReportState;
using backend::ReportStep;

// The word on a badge for what a pass did; its name where there is none.
std::string BadgeOf(const std::string& pass) {
  static const std::map<std::string, std::string> kWords = {
      {"merge-layers", "merged"},  {"fuse-runs", "fused"},
      {"merge-equal", "shared"},   {"narrow-copies", "narrowed"},
      {"fold-metadata", "folded"}, {"link-copies", "linked"},
      {"hoist-fetches", "early"},  {"hoist-metadata", "hoisted"},
      {"drop-empty", "no layer"}};
  auto found = kWords.find(pass);
  return found != kWords.end() ? found->second : pass;
}

// Builds one graph; dropped when it is done.
class GraphBuilder {
 public:
  GraphBuilder(const PlanReport& report, PlanStage stage)
      : report_(report),
        stage_(report.before.empty() ? PlanStage::kOptimised : stage),
        steps_(stage_ == PlanStage::kOptimised ? report.steps : report.before),
        critical_(report.critical_path.begin(), report.critical_path.end()) {}

  PlanGraph Build() {
    graph_.stages = StagesOf(report_, steps_);
    graph_.target = report_.target;
    for (const backend::ReportStage& stage : graph_.stages) {
      AddStageNode(stage);
    }
    for (const ReportStep& step : steps_) {
      AddStepNode(step);
    }
    for (size_t i = 0; i < steps_.size(); ++i) {
      AddEdges(i);
    }
    if (stage_ == PlanStage::kDiff) {
      MarkDifferences();
    }
    return std::move(graph_);
  }

 private:
  // The step whose state and sizes a node shows; null for one that is gone.
  const ReportStep* Present(const ReportStep& step) const {
    return stage_ == PlanStage::kOptimised
               ? &step
               : FindStep(report_.steps, step.became);
  }

  int NodeOf(size_t step) const {
    return static_cast<int>(graph_.stages.size() + step);
  }

  void AddStageNode(const backend::ReportStage& stage) {
    GraphNode node = {.kind = GraphNode::Kind::kStage,
                      .stage = static_cast<int>(graph_.nodes.size()),
                      .state = ReportState::kCached,
                      .text = stage.name.empty() ? "image" : stage.name,
                      .facts = stage.base};
    if (stage.base_state == "pull") {
      node.state = ReportState::kRun;
    }
    if (!stage.base_state.empty()) {
      node.notes.push_back(absl::StrCat("base: ", stage.base_state));
    }
    graph_.nodes.push_back(std::move(node));
  }

  void AddStepNode(const ReportStep& step) {
    const ReportStep* present = Present(step);
    const ReportStep& shown = present != nullptr ? *present : step;
    GraphNode node = {
        .stage = StageIndex(step.stage),
        .state = shown.state,
        .number = step.number > 0 ? absl::StrCat(step.number) : "–",
        .word = step.kind,
        .text = TitleOf(step),
        .facts = FactsOf(shown)};
    if (present == nullptr) {
      node.removed = stage_ == PlanStage::kDiff;
      node.state = ReportState::kSkipped;
      node.facts = "not in the plan";
    }
    if (step.number > 0) {
      node.steps = {step.number};
    }
    if (present != nullptr && present->number > 0) {
      node.layer = stage_ == PlanStage::kLowered ? -1 : present->layer;
      node.critical =
          stage_ != PlanStage::kLowered && critical_.count(present->number) > 0;
      node.badges = BadgesOf(*present);
    }
    node.notes = NotesOf(step, shown);
    graph_.nodes.push_back(std::move(node));
  }

  int StageIndex(const std::string& name) const {
    for (size_t i = 0; i < graph_.stages.size(); ++i) {
      if (graph_.stages[i].name == name) {
        return static_cast<int>(i);
      }
    }
    return 0;
  }

  static std::string FactsOf(const ReportStep& step) {
    if (step.state == ReportState::kSkipped) {
      return step.reason;
    }
    std::vector<std::string> facts = {SizeWords(step.bytes)};
    if (step.state == ReportState::kRun) {
      facts.push_back(TimeWords(step.seconds));
      if (!step.reason.empty()) {
        facts.push_back(step.reason);
      }
    }
    return absl::StrJoin(facts, " · ");
  }

  std::vector<std::string> BadgesOf(const ReportStep& step) const {
    std::vector<std::string> badges;
    if (stage_ == PlanStage::kLowered) {
      return badges;
    }
    auto add = [&badges](std::string badge) {
      if (std::find(badges.begin(), badges.end(), badge) == badges.end()) {
        badges.push_back(std::move(badge));
      }
    };
    if (step.fused) {
      add("fused");
    }
    for (const backend::ReportRewrite& rewrite : report_.rewrites) {
      if (std::find(rewrite.steps.begin(), rewrite.steps.end(), step.number) !=
          rewrite.steps.end()) {
        add(BadgeOf(rewrite.pass));
      }
    }
    return badges;
  }

  static std::vector<std::string> NotesOf(const ReportStep& written,
                                          const ReportStep& shown) {
    std::vector<std::string> notes = {PlaceOf(written), written.text};
    if (!shown.details.empty()) {
      notes.push_back(absl::StrJoin(shown.details, ", "));
    }
    notes.push_back(absl::StrCat(StateWord(shown.state),
                                 shown.reason.empty() ? "" : ": ",
                                 shown.reason));
    if (std::string size = SizeInterval(shown.bytes); !size.empty()) {
      notes.push_back(
          absl::StrCat("size ", SizeWords(shown.bytes), " (", size, ")"));
    }
    if (std::string time = TimeInterval(shown.seconds); !time.empty()) {
      notes.push_back(
          absl::StrCat("time ", TimeWords(shown.seconds), " (", time, ")"));
    }
    notes.erase(std::remove(notes.begin(), notes.end(), ""), notes.end());
    return notes;
  }

  std::optional<size_t> IndexOf(int number) const {
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (number > 0 && steps_[i].number == number) {
        return i;
      }
    }
    return std::nullopt;
  }

  // Where a skipped step stood: behind the last step of its stage that is
  // written above it. Nothing for all others, and where a whole stage is
  // skipped.
  std::optional<size_t> StepAbove(size_t index) const {
    std::optional<size_t> best;
    bool live = false;
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (steps_[i].stage != steps_[index].stage) {
        continue;
      }
      live = live || steps_[i].number > 0;
      const bool above = steps_[i].line < steps_[index].line ||
                         (steps_[i].line == steps_[index].line && i < index);
      if (above && (!best || steps_[i].line >= steps_[*best].line)) {
        best = i;
      }
    }
    return live && steps_[index].number == 0 ? best : std::nullopt;
  }

  // Draws a skipped step in its place, between the steps around it.
  void Splice(size_t index, size_t above) {
    const int node = NodeOf(index);
    bool critical = false;
    for (GraphEdge& edge : graph_.edges) {
      if (edge.tree && edge.from == NodeOf(above) &&
          graph_.nodes[edge.to].stage == graph_.nodes[node].stage) {
        edge.from = node;
        critical = edge.critical;
      }
    }
    graph_.edges.push_back(
        {.from = NodeOf(above), .to = node, .critical = critical});
  }

  void AddEdges(size_t index) {
    const ReportStep& step = steps_[index];
    const bool on_base = step.on_base || step.inputs.empty();
    if (std::optional<size_t> above = StepAbove(index)) {
      Splice(index, *above);
    } else {
      AddTreeEdge(index, on_base ? std::nullopt : IndexOf(step.inputs[0]));
    }
    for (size_t i = on_base ? 0 : 1; i < step.inputs.size(); ++i) {
      if (std::optional<size_t> from = IndexOf(step.inputs[i])) {
        AddEdge(NodeOf(*from), NodeOf(index), false,
                i < step.input_labels.size() ? step.input_labels[i] : "");
      }
    }
  }

  // From the step below, by way of the stage's own node where a stage begins.
  void AddTreeEdge(size_t index, std::optional<size_t> below) {
    const int stage = StageIndex(steps_[index].stage);
    if (below.has_value() && steps_[*below].stage == steps_[index].stage) {
      AddEdge(NodeOf(*below), NodeOf(index), true, "");
      return;
    }
    if (below.has_value()) {
      AddEdge(NodeOf(*below), stage, true, "");
    }
    AddEdge(stage, NodeOf(index), true, "");
  }

  void AddEdge(int from, int to, bool tree, std::string label) {
    for (const GraphEdge& edge : graph_.edges) {
      if (edge.from == from && edge.to == to) {
        return;
      }
    }
    graph_.edges.push_back(
        {.from = from,
         .to = to,
         .tree = tree,
         .critical = graph_.nodes[from].critical && graph_.nodes[to].critical,
         .label = std::move(label)});
  }

  // Steps that kept their order among themselves: a longest ascending sequence
  // of the numbers they became. All others have moved.
  std::set<size_t> Unmoved() const {
    std::vector<size_t> length(steps_.size(), 0);
    std::vector<size_t> previous(steps_.size(), steps_.size());
    size_t last = steps_.size();
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (steps_[i].became == 0) {
        continue;
      }
      length[i] = 1;
      for (size_t j = 0; j < i; ++j) {
        if (length[j] >= length[i] && steps_[j].became <= steps_[i].became) {
          length[i] = length[j] + 1;
          previous[i] = j;
        }
      }
      if (last == steps_.size() || length[i] > length[last]) {
        last = i;
      }
    }
    std::set<size_t> kept;
    for (; last != steps_.size(); last = previous[last]) {
      kept.insert(last);
    }
    return kept;
  }

  void MarkDifferences() {
    std::map<int, std::vector<int>> origins;
    for (const ReportStep& step : steps_) {
      if (step.became > 0) {
        origins[step.became].push_back(step.number);
      }
    }
    const std::set<size_t> unmoved = Unmoved();
    for (size_t i = 0; i < steps_.size(); ++i) {
      GraphNode& node = graph_.nodes[NodeOf(i)];
      const int became = steps_[i].became;
      if (became == 0) {
        node.badges = {"removed"};
      } else if (origins[became].size() > 1) {
        node.number = absl::StrCat("{", absl::StrJoin(origins[became], "+"),
                                   "} → ", became);
      } else if (unmoved.count(i) == 0) {
        node.number = absl::StrCat(node.number, " → ", became);
        node.badges.insert(node.badges.begin(), "moved");
      }
    }
  }

  const PlanReport& report_;
  const PlanStage stage_;
  const std::vector<ReportStep>& steps_;
  const std::set<int> critical_;
  PlanGraph graph_;
};

}  // namespace

PlanGraph MakePlanGraph(const PlanReport& report,
                        const PlanPrintOptions& options) {
  PlanGraph graph = GraphBuilder(report, options.stage).Build();
  if (options.fold > 0 &&
      graph.nodes.size() - graph.stages.size() > options.fold) {
    return FoldChains(graph);
  }
  return graph;
}

}  // namespace lamina::cli
