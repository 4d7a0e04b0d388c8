// The mounts of one RUN in its stage.
#pragma once

#include <vector>

#include "frontend/dockerfile/stage.h"
#include "grammar/dockerfile_syntax.h"
#include "ir/op.h"

namespace lamina::frontend {

// Reports what is wrong with --mount before any variable is known.
void CheckMounts(const grammar::Statement& statement, Diagnostics& diagnostics);

// Sets the mounts of `run`, parents first, and adds the trees they show to
// `inputs` (the stage's own tree, input 0, is not in that list). False if
// something was reported. `words` gets the places of the sources that are in
// folders of the user, in the order of the mounts.
bool LowerMounts(const grammar::Statement& statement, Stage& stage,
                 ir::Run& run, std::vector<ir::NodeId>& inputs,
                 ir::Places& words);

}  // namespace lamina::frontend
