// The build graph: what is to be done, and what is promised.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/source.h"
#include "ir/image_config.h"
#include "ir/op.h"

namespace lamina::ir {

struct Node;
using NodeId = Id<Node>;

// Places in the build file, for messages only: never printed, no part of a
// node's value.
struct Places {
  std::vector<SourceRange> ranges;

  friend bool operator==(const Places&, const Places&) { return true; }
};

// Where the user wants layers to end: `# lamina layer=cut|begin|end`.
struct LayerMark {
  bool cut = false;    // A layer begins with this step.
  uint32_t group = 0;  // Steps of one group, from 1, form one layer together;
                       // 0: none.

  friend bool operator==(const LayerMark&, const LayerMark&) = default;
};

// One step of a build: an operation on the file systems its inputs produce.
//
// A node may only name nodes already in the graph, so id order is a
// topological order and a cycle cannot be expressed.
struct Node {
  Op op;
  std::vector<NodeId> inputs;  // inputs[0] is the tree that `op` changes.
  SourceRange source;          // Where the user asked for this step.
  std::string stage;           // Name of the stage, or its number from 0.
  std::string text;            // The instruction as users see it in progress.
  Places words;  // Of each source of a Copy, or of mounts, in their order.
  LayerMark layer;
  // Run: may share the sandbox of inputs[0], a RUN, and be one step with it.
  bool same_sandbox = false;

  friend bool operator==(const Node&, const Node&) = default;
};

// One entry of an image's history. `node` made its layer; none for an
// instruction that changes the configuration only, and for a base's entries.
struct HistoryStep {
  HistoryEntry entry;
  std::optional<NodeId> node;

  friend bool operator==(const HistoryStep&, const HistoryStep&) = default;
};

// An image that the build promises.
struct Target {
  std::string name;
  NodeId root;
  ImageConfig config;
  // The base's entries first. Layer entries follow the order of the chain
  // root -> inputs[0] -> ... from the base upwards.
  std::vector<HistoryStep> history;

  friend bool operator==(const Target&, const Target&) = default;
};

struct BuildGraph {
  Table<Node> nodes;
  std::vector<Target> targets;
};

// Adds a node whose inputs are all in the graph already (CHECKed).
NodeId AddNode(BuildGraph& graph, Node node);

// One line a node: `n3 = run n2 env("A=1") ["/bin/sh", "-c", "ls"]`, then the
// targets. The same text for equal graphs; ParseGraph reads it back.
std::string PrintGraph(const BuildGraph& graph);
absl::StatusOr<BuildGraph> ParseGraph(absl::string_view text);

// Describes an op in its canonical form, without inputs: what step keys are
// made of. Equal text means equal effect on equal inputs.
std::string PrintOp(const Op& op);

}  // namespace lamina::ir
