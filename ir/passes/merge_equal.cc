// Does equal steps on equal inputs once.
//
// Stands after drop-unreachable, so that no step that is needed takes over the
// name and the source of one that is not.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/pass.h"

namespace lamina::ir {
namespace {

// The first node with the same op and inputs, or `id` itself. `seen` holds the
// nodes so far by the text of op and inputs; that text leaves out what does not
// count for a step's key, so the ops themselves are compared.
NodeId FindFirst(const BuildGraph& graph, NodeId id,
                 std::map<std::string, std::vector<NodeId>>& seen) {
  const Node& node = graph.nodes[id];
  std::string key = PrintOp(node.op);
  for (NodeId input : node.inputs) {
    absl::StrAppend(&key, " n", input.index);
  }
  std::vector<NodeId>& candidates = seen[key];
  for (NodeId candidate : candidates) {
    const Node& other = graph.nodes[candidate];
    if (other.op == node.op && other.inputs == node.inputs) {
      return candidate;
    }
  }
  candidates.push_back(id);
  return id;
}

BuildGraph MergeEqual(const BuildGraph& graph) {
  BuildGraph merged = graph;
  std::map<std::string, std::vector<NodeId>> seen;
  std::vector<NodeId> first;
  std::vector<bool> keep;
  // Forward: the inputs of a node are merged before the node is compared.
  for (uint32_t index = 0; index < merged.nodes.size(); ++index) {
    NodeId id = {index};
    for (NodeId& input : merged.nodes[id].inputs) {
      input = first[input.index];
    }
    first.push_back(FindFirst(merged, id, seen));
    keep.push_back(first.back() == id);
  }
  for (Target& target : merged.targets) {
    target.root = first[target.root.index];
    for (HistoryStep& step : target.history) {
      if (step.node) {
        step.node = first[step.node->index];
      }
    }
  }
  return KeepNodes(merged, keep);
}

}  // namespace

extern constinit const Pass kMergeEqual = {
    .name = "merge-equal",
    .summary = "does equal steps on equal inputs once",
    .run = MergeEqual,
    .since = Level::kO1,
};

}  // namespace lamina::ir
