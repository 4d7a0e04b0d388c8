#include "backend/epochs.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"
#include "ir/patterns.h"

namespace lamina::backend {
namespace {

constexpr size_t kEnoughEpochs = 8;  // Then rules of thumb are left out.
constexpr size_t kMostBuilds = 64;
constexpr int64_t kMeasuredWeight = 5;  // Beside rules of thumb.
// Rules of thumb.
constexpr int64_t kSources = 8;
constexpr int64_t kManifests = 2;
constexpr int64_t kLive = 1;
constexpr int64_t kBase = 1;

// What a RUN downloads without naming its content.
constexpr absl::string_view kLiveWords[] = {
    "apt-get", "apt", "apk", "yum", "dnf", "microdnf", "zypper", "pip", "pip3",
    "npm", "yarn", "pnpm", "gem", "bundle", "go", "cargo", "composer", "curl",
    "wget", "git", "mvn", "gradle", "conda", "mamba", "poetry", "uv"};

// Files that name dependencies.
constexpr absl::string_view kManifestNames[] = {
    "package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock",
    "pnpm-lock.yaml", "go.mod", "go.sum", "pom.xml", "build.gradle",
    "build.gradle.kts", "settings.gradle", "composer.json", "composer.lock",
    "pyproject.toml", "poetry.lock", "uv.lock", "Pipfile", "Pipfile.lock",
    "setup.py", "setup.cfg", "mix.exs", "mix.lock"};

bool IsManifest(absl::string_view path) {
  absl::string_view name = BaseName(path);
  return std::find(std::begin(kManifestNames), std::end(kManifestNames),
                   name) != std::end(kManifestNames) ||
         (absl::StartsWith(name, "requirements") &&
          absl::EndsWith(name, ".txt")) ||
         (absl::StartsWith(name, "package") && absl::EndsWith(name, ".json")) ||
         absl::StartsWith(name, "Cargo.") || absl::StartsWith(name, "Gemfile") ||
         absl::EndsWith(name, ".csproj") || absl::EndsWith(name, ".sln");
}

bool IsRun(const ir::Node& node) {
  return std::holds_alternative<ir::Run>(node.op);
}

bool IsLive(const ir::Run& run) {
  for (const std::string& arg : run.args) {
    for (absl::string_view word :
         absl::StrSplit(arg, absl::ByAnyChar(" \t\n;&|()"))) {
      if (std::find(std::begin(kLiveWords), std::end(kLiveWords), word) !=
          std::end(kLiveWords)) {
        return true;
      }
    }
  }
  return false;
}

class Guesser {
 public:
  Guesser(const ir::BuildGraph& graph, const TargetChain& chain)
      : graph_(graph), chain_(chain) {}

  std::vector<ir::Epoch> RulesOfThumb() const {
    std::vector<ir::Epoch> epochs;
    for (size_t i = 0; i < chain_.steps.size(); ++i) {
      int64_t weight = StepWeight(Node(i));
      if (weight > 0) {
        epochs.push_back({weight, WithLaterRuns({static_cast<int>(i) + 1})});
      }
    }
    if (std::holds_alternative<ir::BaseImage>(graph_.nodes[chain_.base].op) &&
        !chain_.steps.empty()) {
      ir::Epoch all = {kBase, {}};
      for (size_t i = 0; i < chain_.steps.size(); ++i) {
        all.steps.push_back(static_cast<int>(i) + 1);
      }
      epochs.push_back(std::move(all));
    }
    return epochs;
  }

  // The COPYs that a commit's files belong to, and the RUNs after them.
  std::optional<ir::Epoch> Commit(const std::vector<std::string>& files) const {
    std::vector<int> copies;
    for (size_t i = 0; i < chain_.steps.size(); ++i) {
      if (CopiesOneOf(Node(i), files)) {
        copies.push_back(static_cast<int>(i) + 1);
      }
    }
    if (copies.empty()) {
      return std::nullopt;
    }
    return ir::Epoch{1, WithLaterRuns(std::move(copies))};
  }

 private:
  const ir::Node& Node(size_t step) const {
    return graph_.nodes[chain_.steps[step]];
  }

  std::vector<int> WithLaterRuns(std::vector<int> steps) const {
    for (size_t i = steps.front(); i < chain_.steps.size(); ++i) {
      int step = static_cast<int>(i) + 1;
      if (IsRun(Node(i)) &&
          std::find(steps.begin(), steps.end(), step) == steps.end()) {
        steps.push_back(step);
      }
    }
    std::sort(steps.begin(), steps.end());
    return steps;
  }

  int64_t StepWeight(const ir::Node& node) const {
    if (const auto* run = std::get_if<ir::Run>(&node.op)) {
      return IsLive(*run) ? kLive : 0;
    }
    const auto* copy = std::get_if<ir::Copy>(&node.op);
    if (copy == nullptr || node.inputs.size() < 2) {
      return 0;
    }
    const ir::Node& from = graph_.nodes[node.inputs[1]];
    if (std::holds_alternative<ir::LocalFiles>(from.op)) {
      bool manifests = std::all_of(copy->sources.begin(), copy->sources.end(),
                                   [](const auto& s) { return IsManifest(s); });
      return manifests ? kManifests : kSources;
    }
    return TreeWeight(node.inputs[1]);
  }

  // What a stage brings in changes with the most restless of its steps.
  int64_t TreeWeight(ir::NodeId id) const {
    int64_t weight = 0;
    while (IsStep(graph_.nodes[id].op)) {
      weight = std::max(weight, StepWeight(graph_.nodes[id]));
      id = graph_.nodes[id].inputs[0];
    }
    return weight;
  }

  bool CopiesOneOf(const ir::Node& node,
                   const std::vector<std::string>& files) const {
    const auto* copy = std::get_if<ir::Copy>(&node.op);
    if (copy == nullptr || node.inputs.size() < 2) {
      return false;
    }
    ir::NodeId from = node.inputs[1];
    const auto* local = std::get_if<ir::LocalFiles>(&graph_.nodes[from].op);
    if (local == nullptr) {
      for (ir::NodeId at = from; IsStep(graph_.nodes[at].op);
           at = graph_.nodes[at].inputs[0]) {
        if (CopiesOneOf(graph_.nodes[at], files)) {
          return true;
        }
      }
      return false;
    }
    return local->name.empty() &&
           std::any_of(files.begin(), files.end(), [&](const auto& file) {
             return std::any_of(copy->sources.begin(), copy->sources.end(),
                                [&](const auto& source) {
                                  return Covers(source, file);
                                });
           });
  }

  // Whether a COPY of `source` takes `file`. A wildcard counts by the folder
  // that it stands in: what it matches exactly is of no weight here.
  static bool Covers(const std::string& source, const std::string& file) {
    std::string path = CleanPath(absl::StrCat("/", source)).substr(1);
    size_t wild = path.find_first_of("*?[");
    if (wild != std::string::npos) {
      size_t slash = path.rfind('/', wild);
      path = slash == std::string::npos ? "" : path.substr(0, slash);
    }
    return path.empty() || file == path ||
           absl::StartsWith(file, absl::StrCat(path, "/"));
  }

  const ir::BuildGraph& graph_;
  const TargetChain& chain_;
};

std::string Normalised(absl::string_view text) {
  return absl::StrJoin(absl::StrSplit(text, absl::ByAnyChar(" \t\n"),
                                      absl::SkipEmpty()),
                       " ");
}

std::vector<const BuiltStep*> OwnSteps(const BuildDocument& build) {
  std::vector<const BuiltStep*> steps;
  for (const BuiltStep& step : build.steps) {
    if (step.own) {
      steps.push_back(&step);
    }
  }
  return steps;
}

// For each step of `now` its partner in `before`, by the longest common
// subsequence of their texts; -1 where there is none.
std::vector<int> MatchTexts(const std::vector<std::string>& before,
                            const std::vector<std::string>& now) {
  size_t n = before.size();
  size_t m = now.size();
  std::vector<std::vector<int>> length(n + 1, std::vector<int>(m + 1));
  for (size_t i = n; i-- > 0;) {
    for (size_t j = m; j-- > 0;) {
      length[i][j] = before[i] == now[j]
                         ? length[i + 1][j + 1] + 1
                         : std::max(length[i + 1][j], length[i][j + 1]);
    }
  }
  std::vector<int> partner(m, -1);
  for (size_t i = 0, j = 0; i < n && j < m;) {
    if (before[i] == now[j]) {
      partner[j++] = static_cast<int>(i++);
    } else if (length[i + 1][j] >= length[i][j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return partner;
}

std::vector<std::string> Texts(const std::vector<const BuiltStep*>& steps) {
  std::vector<std::string> texts;
  for (const BuiltStep* step : steps) {
    texts.push_back(Normalised(step->text));
  }
  return texts;
}

// Which steps of today's chain differ between two builds; none if it was the
// same build again.
std::optional<ir::Epoch> CompareBuilds(const BuildDocument& before,
                                       const BuildDocument& after,
                                       const std::vector<std::string>& today) {
  std::vector<const BuiltStep*> old_steps = OwnSteps(before);
  std::vector<const BuiltStep*> new_steps = OwnSteps(after);
  std::vector<int> of_today = MatchTexts(Texts(new_steps), today);
  std::vector<int> of_old = MatchTexts(Texts(old_steps), Texts(new_steps));
  ir::Epoch epoch;
  for (size_t i = 0; i < today.size(); ++i) {
    int now = of_today[i];
    int old = now < 0 ? -1 : of_old[now];
    if (old < 0 || old_steps[old]->diff != new_steps[now]->diff) {
      epoch.steps.push_back(static_cast<int>(i) + 1);
    }
  }
  if (epoch.steps.empty()) {
    return std::nullopt;
  }
  return epoch;
}

std::vector<ir::Epoch> CompareAll(const ir::BuildGraph& graph,
                                  const TargetChain& chain,
                                  const std::vector<BuildDocument>& builds) {
  std::vector<std::string> today;
  for (ir::NodeId step : chain.steps) {
    today.push_back(Normalised(graph.nodes[step].text));
  }
  std::vector<ir::Epoch> epochs;
  for (size_t i = 0; i + 1 < std::min(builds.size(), kMostBuilds + 1); ++i) {
    if (auto epoch = CompareBuilds(builds[i + 1], builds[i], today)) {
      epochs.push_back(*std::move(epoch));
    }
  }
  return epochs;
}

}  // namespace

ChangeWeights FindChangeWeights(
    const ir::BuildGraph& graph, const TargetChain& chain,
    const std::vector<BuildDocument>& builds,
    const std::vector<std::vector<std::string>>& commits) {
  Guesser guesser(graph, chain);
  ChangeWeights weights;
  weights.epochs = CompareAll(graph, chain, builds);
  std::vector<std::string> sources;
  if (!weights.epochs.empty()) {
    sources.push_back(absl::StrCat(weights.epochs.size(), " earlier builds"));
  }
  size_t from_builds = weights.epochs.size();
  for (const std::vector<std::string>& files : commits) {
    if (auto epoch = guesser.Commit(files)) {
      weights.epochs.push_back(*std::move(epoch));
    }
  }
  if (weights.epochs.size() > from_builds) {
    sources.push_back(absl::StrCat(weights.epochs.size() - from_builds,
                                   " commits of the context"));
  }
  if (weights.epochs.size() < kEnoughEpochs) {
    for (ir::Epoch& epoch : weights.epochs) {
      epoch.weight = kMeasuredWeight;
    }
    for (ir::Epoch& epoch : guesser.RulesOfThumb()) {
      weights.epochs.push_back(std::move(epoch));
    }
    sources.push_back("rules of thumb");
  }
  weights.source = absl::StrJoin(sources, ", ");
  return weights;
}

std::string DiffName(const ir::Node& node, const Layer& layer) {
  bool run = std::holds_alternative<ir::Run>(node.op);
  return run || !layer.diff_id.has_value() ? layer.chain.ToString()
                                           : layer.diff_id->ToString();
}

absl::StatusOr<bool> RepeatsBuild(const Plan& plan, const TargetChain& chain,
                                  const BuildDocument& last, Store& store) {
  std::vector<std::string> then;
  for (const BuiltStep& step : last.steps) {
    if (step.own) {
      then.push_back(step.diff);
    }
  }
  if (then.size() != chain.steps.size()) {
    return false;
  }
  std::map<uint32_t, const Step*> steps;
  for (const Step& step : plan.steps) {
    steps[step.node.index] = &step;
  }
  for (size_t i = 0; i < then.size(); ++i) {
    const std::optional<StepRecord>& record =
        steps.at(chain.steps[i].index)->record;
    if (!record.has_value()) {
      return false;
    }
    std::string now;
    if (record->layer.has_value()) {
      ASSIGN_OR_RETURN(Layer layer, store.GetLayer(*record->layer));
      now = DiffName(plan.graph.nodes[chain.steps[i]], layer);
    }
    if (now != then[i]) {
      return false;
    }
  }
  return true;
}

std::vector<ir::CutRule> FindCutRules(const ir::BuildGraph& graph,
                                      const TargetChain& chain) {
  std::vector<ir::CutRule> rules;
  for (size_t i = 1; i < chain.steps.size(); ++i) {
    const ir::LayerMark& below = graph.nodes[chain.steps[i - 1]].layer;
    const ir::LayerMark& here = graph.nodes[chain.steps[i]].layer;
    int step = static_cast<int>(i);
    if (here.cut) {
      rules.push_back({step, true, "layer=cut"});
    } else if (below.group != here.group) {
      rules.push_back(
          {step, true, here.group != 0 ? "layer=begin" : "layer=end"});
    } else if (here.group != 0) {
      rules.push_back({step, false, "layer=begin"});
    }
  }
  return rules;
}

}  // namespace lamina::backend
