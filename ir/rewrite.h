// What passes share: nodes go, and others take their place.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"
#include "ir/pass.h"

namespace lamina::ir {

// What history says of a node that another one stands for.
enum class History {
  kTakesOver,  // The other node made the layer.
  kEmpty,      // The step has no layer.
};

// By node: itself when it stays, an earlier node that takes its place, or
// nothing when it goes and no node that stays has it as an input.
using Successors = std::vector<std::optional<NodeId>>;
Successors EachStays(const BuildGraph& graph);

// Renumbers inputs, roots and history. `witnesses` stays to be filled in.
Rewrite ReplaceNodes(const BuildGraph& graph, const Successors& successors,
                     History history);

// How many nodes have this one as an input, and targets as their root.
std::vector<int> CountUses(const BuildGraph& graph);

}  // namespace lamina::ir
