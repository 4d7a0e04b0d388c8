// Optimiser passes: one file each in ir/passes, listed in pipeline.def.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "ir/graph.h"

namespace lamina::ir {

enum class Level { kO0, kO1, kO2, kOs };

// Same graph in, same graph out: the result depends on nothing else.
struct Pass {
  absl::string_view name;
  absl::string_view summary;
  BuildGraph (*run)(const BuildGraph&);
  Level since = Level::kO0;  // The lowest level that runs it.
};

// In the order they run.
std::vector<const Pass*> AllPasses();

BuildGraph Optimise(BuildGraph graph, Level level);

}  // namespace lamina::ir
