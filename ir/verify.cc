#include "ir/verify.h"

#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

absl::Status Broken(absl::string_view what) {
  return absl::InternalError(what);
}

bool IsAbsolute(const std::string& path) {
  return !path.empty() && path[0] == '/';
}

// Checks one op against the number of its node's inputs.
struct CheckOp {
  size_t inputs;

  absl::Status operator()(const Scratch&) const { return NoInputs(); }
  absl::Status operator()(const BaseImage&) const { return NoInputs(); }
  absl::Status operator()(const LocalFiles&) const { return NoInputs(); }

  absl::Status operator()(const RemoteFile& file) const {
    if (file.name.empty() || file.name == "." || file.name == ".." ||
        file.name.find('/') != std::string::npos) {
      return Broken("the file of a URL has no name");
    }
    return NoInputs();
  }

  absl::Status operator()(const GitTree& tree) const {
    if (tree.subdir == ".." || IsAbsolute(tree.subdir) ||
        tree.subdir.substr(0, 3) == "../") {
      return Broken("the folder of a git tree is outside of it");
    }
    return NoInputs();
  }

  absl::Status operator()(const Run& run) const {
    if (inputs == 0) {
      return Broken("run has no input to run on");
    }
    if (run.args.empty()) {
      return Broken("run has no arguments");
    }
    for (const Mount& mount : run.mounts) {
      if (mount.input && *mount.input >= inputs) {
        return Broken(absl::StrCat("mount ", mount.target, " takes input ",
                                   *mount.input, " of ", inputs));
      }
    }
    return absl::OkStatus();
  }

  absl::Status operator()(const Copy& copy) const {
    if (copy.sources.empty() && copy.files.empty()) {
      return Broken("copy has nothing to copy");
    }
    RETURN_IF_ERROR(CheckSources(copy));
    return IsAbsolute(copy.destination)
               ? absl::OkStatus()
               : Broken("the destination of copy is relative");
  }

  absl::Status CheckSources(const Copy& copy) const {
    size_t most = 2;
    if (!copy.source_inputs.empty()) {
      most = 1 + copy.source_inputs.size();
      if (copy.source_inputs.size() != copy.sources.size()) {
        return Broken("copy has sources without an input");
      }
    }
    if (inputs == 0 || inputs > most ||
        (inputs == 1 && !copy.sources.empty())) {
      return Broken(absl::StrCat("copy has ", inputs, " inputs"));
    }
    for (uint32_t input : copy.source_inputs) {
      if (input == 0 || input >= inputs) {
        return Broken(absl::StrCat("copy takes input ", input, " of ", inputs));
      }
    }
    return absl::OkStatus();
  }

  absl::Status operator()(const MakeDir& make) const {
    if (inputs != 1) {
      return Broken(absl::StrCat("mkdir has ", inputs, " inputs"));
    }
    return IsAbsolute(make.path) ? absl::OkStatus()
                                 : Broken("the path of mkdir is relative");
  }

  absl::Status NoInputs() const {
    return inputs == 0 ? absl::OkStatus()
                       : Broken("an op without inputs has some");
  }
};

// True if `id` is on the way from `from` down along inputs[0].
bool OnChain(const BuildGraph& graph, NodeId from, NodeId id) {
  while (from > id && !graph.nodes[from].inputs.empty()) {
    from = graph.nodes[from].inputs[0];
  }
  return from == id;
}

absl::Status CheckTarget(const BuildGraph& graph, const Target& target) {
  if (target.root.index >= graph.nodes.size()) {
    return Broken("its root is not in the graph");
  }
  std::optional<NodeId> last;
  for (const HistoryStep& step : target.history) {
    std::string text = absl::StrCat("history `", step.entry.created_by, "` ");
    if (!step.node) {
      if (last && !step.entry.empty_layer) {
        return Broken(absl::StrCat(text, "has a layer but no node"));
      }
      continue;
    }
    if (step.entry.empty_layer) {
      return Broken(absl::StrCat(text, "has a node but an empty layer"));
    }
    if (!OnChain(graph, target.root, *step.node)) {
      return Broken(absl::StrCat(text, "names n", step.node->index,
                                 ", which is not on the chain of the root"));
    }
    if (last && *step.node <= *last) {
      return Broken(absl::StrCat(text, "names n", step.node->index, " after n",
                                 last->index));
    }
    last = step.node;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status VerifyGraph(const BuildGraph& graph) {
  for (uint32_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[NodeId{index}];
    std::string name = absl::StrCat("n", index);
    for (NodeId input : node.inputs) {
      if (input.index >= index) {
        return Broken(
            absl::StrCat(name, ": input n", input.index, " is not before it"));
      }
    }
    RETURN_IF_ERROR(
        Annotate(std::visit(CheckOp{node.inputs.size()}, node.op), name));
  }
  for (const Target& target : graph.targets) {
    RETURN_IF_ERROR(Annotate(CheckTarget(graph, target),
                             absl::StrCat("target `", target.name, "`")));
  }
  return absl::OkStatus();
}

}  // namespace lamina::ir
