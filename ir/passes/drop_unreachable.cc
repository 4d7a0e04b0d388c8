// Drops every step that no target needs.
//
// Runs first: the other passes then spend no time on stages nobody asked for.
#include <cstdint>
#include <utility>
#include <vector>

#include "ir/pass.h"
#include "ir/rewrite.h"

namespace lamina::ir {
namespace {

std::vector<bool> FindNeeded(const BuildGraph& graph) {
  std::vector<bool> needed(graph.nodes.size());
  for (const Target& target : graph.targets) {
    needed[target.root.index] = true;
  }
  // Inputs precede their users, so one backward sweep reaches everything.
  for (uint32_t index = graph.nodes.size(); index-- > 0;) {
    if (!needed[index]) {
      continue;
    }
    for (NodeId input : graph.nodes[NodeId{index}].inputs) {
      needed[input.index] = true;
    }
  }
  return needed;
}

Rewrite DropUnreachable(const BuildGraph& graph, const Facts&) {
  std::vector<bool> needed = FindNeeded(graph);
  Successors successors = EachStays(graph);
  std::vector<Witness> witnesses;
  for (uint32_t index = 0; index < needed.size(); ++index) {
    if (!needed[index]) {
      successors[index].reset();
      witnesses.push_back({Witness::Rule::kUnreachable, {index}, {}, {}});
    }
  }
  Rewrite rewrite = ReplaceNodes(graph, successors, History::kTakesOver);
  rewrite.witnesses = std::move(witnesses);
  return rewrite;
}

}  // namespace

extern constinit const Pass kDropUnreachable = {
    .name = "drop-unreachable",
    .summary = "drops steps that no target needs",
    .run = DropUnreachable,
};

}  // namespace lamina::ir
