// Marks a RUN that may run in the sandbox of the RUN before it.
//
// The executor then commits once for both, if both have to run. What the first
// one did is lost when the second one fails or changes, so it must cost next to
// nothing: only commands that touch a few files qualify. Sandboxes must be
// alike; program, environment, user and working directory are each command's
// own. Stands last: the other passes may remove a RUN.
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "ir/pass.h"
#include "ir/rewrite.h"

namespace lamina::ir {
namespace {

// When one of them changes, those before it run again: fewer take less time
// than the commits that they save.
constexpr int kMostInOneSandbox = 8;

// True for one of the commands that take milliseconds, with its arguments.
bool IsCheapCommand(absl::string_view text) {
  std::vector<std::string> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  static constexpr absl::string_view kCheap[] = {
      "mkdir",  "ln",   "chmod",   "chown", "touch",   "rm",       "echo",
      "printf", "true", "useradd", "sed",   "adduser", "groupadd", "addgroup"};
  if (words.empty() || std::find(std::begin(kCheap), std::end(kCheap),
                                 words[0]) == std::end(kCheap)) {
    return false;
  }
  // Whole trees may take long, and sed without -i only prints.
  bool recursive = (words[0] == "chmod" || words[0] == "chown") &&
                   words.size() > 1 && absl::StartsWith(words[1], "-");
  bool prints = words[0] == "sed" && (words.size() < 2 || words[1] != "-i");
  return !recursive && !prints;
}

// Commands joined by && only: no substitution, pipe or background process.
bool IsCheap(const Run& run) {
  if (!run.scripts.empty()) {
    return false;
  }
  if (run.args.size() < 3 || run.args[run.args.size() - 2] != "-c") {
    return IsCheapCommand(run.args[0] == "sed" && run.args.size() > 1
                              ? "sed " + run.args[1]
                              : run.args[0]);
  }
  const std::string& script = run.args.back();
  if (script.find_first_of("$`|;(){}\\<\n") != std::string::npos) {
    return false;
  }
  std::vector<std::string> commands = absl::StrSplit(script, "&&");
  return std::all_of(commands.begin(), commands.end(), [](const auto& text) {
    return !absl::StrContains(text, "&") && IsCheapCommand(text);
  });
}

// optimiser.md 4.2. A lock on a cache would be held for longer, and what shows
// another tree is part of a command's key.
bool HaveEqualSandboxes(const Node& node, const Run& run, const Node& before,
                        const Run& first) {
  bool plain =
      std::all_of(run.mounts.begin(), run.mounts.end(), [](const Mount& mount) {
        return mount.sharing != Mount::Sharing::kLocked &&
               !mount.input.has_value();
      });
  return run.mounts == first.mounts && plain && run.network == first.network &&
         run.insecure == first.insecure && node.stage == before.stage;
}

Rewrite FuseRuns(const BuildGraph& graph, const Facts&) {
  std::vector<int> uses = CountUses(graph);
  Rewrite rewrite = ReplaceNodes(graph, EachStays(graph), History::kTakesOver);
  std::vector<int> commands(graph.nodes.size(), 1);  // In one sandbox so far.
  for (uint32_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[NodeId{index}];
    const auto* run = std::get_if<Run>(&node.op);
    if (run == nullptr) {
      continue;
    }
    NodeId parent = node.inputs[0];
    if (node.same_sandbox) {
      commands[index] = commands[parent.index] + 1;
      continue;
    }
    const Node& before = graph.nodes[parent];
    const auto* first = std::get_if<Run>(&before.op);
    if (first != nullptr && uses[parent.index] == 1 && IsCheap(*first) &&
        commands[parent.index] < kMostInOneSandbox &&
        HaveEqualSandboxes(node, *run, before, *first)) {
      commands[index] = commands[parent.index] + 1;
      rewrite.graph.nodes[NodeId{index}].same_sandbox = true;
      rewrite.witnesses.push_back(
          {Witness::Rule::kSameSandbox, {index}, parent, {}});
    }
  }
  return rewrite;
}

}  // namespace

extern constinit const Pass kFuseRuns = {
    .name = "fuse-runs",
    .summary = "runs a command in the sandbox of a cheap one before it",
    .run = FuseRuns,
    .since = OptLevel::k1,
};

}  // namespace lamina::ir
