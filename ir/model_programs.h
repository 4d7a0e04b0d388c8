// Random programs: small build graphs with all that their steps read, and what
// running them gives. For tests of passes and layouts.
//
//   ModelProgram program = RandomProgram(seed);
//   StepDiff diff = StepDiffOf(program.graph, program.run, node);
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/model_tree.h"
#include "ir/pass.h"

namespace lamina::ir {

struct ModelWorld {
  std::map<std::string, ModelTree> contexts;  // By LocalFiles::name.
  std::map<std::string, ModelTree> images;    // By ImageReference::Full().
};

struct ModelRun {
  std::vector<ModelTree> trees;  // By node, up to one that fails.
  std::optional<NodeId> failed;
};
ModelRun RunModel(const BuildGraph& graph, const ModelWorld& world);

// What the node changed; empty for what is no step.
StepDiff StepDiffOf(const BuildGraph& graph, const ModelRun& run, NodeId node);

struct ModelProgram {
  BuildGraph graph;
  ModelWorld world;
  ModelRun run;  // What RunModel gives.
};

// The same seed gives the same program in every run. No step of it fails.
ModelProgram RandomProgram(uint64_t seed);

// Answers from `world`, which must outlive them.
Facts ModelFacts(const ModelWorld& world);

}  // namespace lamina::ir
