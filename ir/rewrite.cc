#include "ir/rewrite.h"

#include <cstdint>
#include <utility>

#include "base/status.h"

namespace lamina::ir {
namespace {

Target MoveTarget(Target target, const Successors& successors,
                  const Rewrite& rewrite, History history) {
  auto move = [&](NodeId id) {
    CHECK(rewrite.moved[id.index].has_value());
    return *rewrite.moved[id.index];
  };
  for (HistoryStep& step : target.history) {
    if (!step.node.has_value()) {
      continue;
    }
    bool stays = successors[step.node->index] == step.node;
    if (!stays && history == History::kEmpty) {
      step.node.reset();
      step.entry.empty_layer = true;
    } else {
      step.node = move(*step.node);
    }
  }
  target.root = move(target.root);
  return target;
}

}  // namespace

Successors EachStays(const BuildGraph& graph) {
  Successors successors;
  for (uint32_t index = 0; index < graph.nodes.size(); ++index) {
    successors.push_back(NodeId{index});
  }
  return successors;
}

Rewrite ReplaceNodes(const BuildGraph& graph, const Successors& successors,
                     History history) {
  CHECK(successors.size() == graph.nodes.size());
  Rewrite rewrite;
  for (uint32_t index = 0; index < successors.size(); ++index) {
    const std::optional<NodeId>& successor = successors[index];
    if (successor != NodeId{index}) {
      CHECK(!successor.has_value() || successor->index < index);
      rewrite.moved.push_back(successor.has_value()
                                  ? rewrite.moved[successor->index]
                                  : std::nullopt);
      continue;
    }
    Node node = graph.nodes[NodeId{index}];
    for (NodeId& input : node.inputs) {
      CHECK(rewrite.moved[input.index].has_value());
      input = *rewrite.moved[input.index];
    }
    rewrite.moved.push_back(AddNode(rewrite.graph, std::move(node)));
  }
  for (const Target& target : graph.targets) {
    rewrite.graph.targets.push_back(
        MoveTarget(target, successors, rewrite, history));
  }
  return rewrite;
}

std::vector<int> CountUses(const BuildGraph& graph) {
  std::vector<int> uses(graph.nodes.size());
  for (const Node& node : graph.nodes) {
    for (NodeId input : node.inputs) {
      ++uses[input.index];
    }
  }
  for (const Target& target : graph.targets) {
    ++uses[target.root.index];
  }
  return uses;
}

}  // namespace lamina::ir
