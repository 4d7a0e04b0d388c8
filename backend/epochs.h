// How often which steps change: the weights that decide where layers are cut
// (optimiser.md 5.3).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/build_record.h"
#include "backend/plan.h"
#include "backend/step_trace.h"
#include "backend/store/store.h"
#include "ir/layout/trace.h"

namespace lamina::backend {

struct ChangeWeights {
  std::vector<ir::Epoch> epochs;  // Steps of the target's chain, from 1.
  std::string source;             // "12 builds", "rules of thumb", ...
};

// What two consecutive builds of the target did differently, newest first in
// `builds`; `commits` are lists of files, relative to the build context, that
// changed together. Rules of thumb stand in while there is little of both.
ChangeWeights FindChangeWeights(const ir::BuildGraph& graph,
                                const TargetChain& chain,
                                const std::vector<BuildDocument>& builds,
                                const std::vector<std::vector<std::string>>&
                                    commits);

// BuiltStep::diff of a step that left `layer`.
std::string DiffName(const ir::Node& node, const Layer& layer);

// True if every step of the chain is cached with what it left in `last`: such a
// build asks for layers with the weights of that one, and gets the same.
absl::StatusOr<bool> RepeatsBuild(const Plan& plan, const TargetChain& chain,
                                  const BuildDocument& last, Store& store);

// Forced and forbidden places for layers to end, from the comments of the
// build file.
std::vector<ir::CutRule> FindCutRules(const ir::BuildGraph& graph,
                                      const TargetChain& chain);

}  // namespace lamina::backend
