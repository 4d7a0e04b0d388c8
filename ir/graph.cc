#include "ir/graph.h"

#include <utility>

#include "base/status.h"

namespace lamina::ir {

NodeId AddNode(BuildGraph& graph, Node node) {
  for (NodeId input : node.inputs) {
    CHECK(input.index < graph.nodes.size());
  }
  return graph.nodes.Add(std::move(node));
}

BuildGraph KeepNodes(const BuildGraph& graph, const std::vector<bool>& keep) {
  CHECK(keep.size() == graph.nodes.size());
  BuildGraph result;
  std::vector<NodeId> moved(keep.size());
  auto move = [&](NodeId id) {
    CHECK(keep[id.index]);
    return moved[id.index];
  };
  for (uint32_t index = 0; index < keep.size(); ++index) {
    if (!keep[index]) {
      continue;
    }
    Node node = graph.nodes[NodeId{index}];
    for (NodeId& input : node.inputs) {
      input = move(input);
    }
    moved[index] = AddNode(result, std::move(node));
  }
  for (Target target : graph.targets) {
    target.root = move(target.root);
    for (HistoryStep& step : target.history) {
      if (step.node) {
        step.node = move(*step.node);
      }
    }
    result.targets.push_back(std::move(target));
  }
  return result;
}

}  // namespace lamina::ir
