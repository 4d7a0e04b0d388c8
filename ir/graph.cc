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

}  // namespace lamina::ir
