// What stands in the error for an image with too many layers (optimiser.md 2).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "ir/layout/layout.h"

namespace lamina::backend {

struct LimitStep {
  std::string keyword;  // "RUN"
  int line = 0;         // From 1, in the build file.
  int end_line = 0;
  std::optional<SourceRange> range;
};

struct LimitContext {
  std::string file;  // The build file, as the user named it.
  std::string base;  // "python:3.12"; empty: scratch.
  int base_layers = 0;
  int head_room = 0;       // Layers kept free for images on top of this one.
  std::string limit_name;  // "portable", "docker", "30": --max-layers.
  std::string level;       // "O0"
  bool verbatim = false;   // One layer of each step.
  bool sizes_known = true;  // Else the problem's changes rest on a guess.
  std::vector<LimitStep> steps;  // Step i of the problem is steps[i - 1].
  // Own layers that -O1 would make; none: it does not help either.
  std::optional<int> chain_layers;
  std::optional<SourceRange> from;  // Where the base is named.
};

// `problem` counts own layers: its limit is what base and head-room leave, and
// may be zero or less.
Diagnostic LimitDiagnostic(const ir::LimitProblem& problem,
                           const LimitContext& context);

}  // namespace lamina::backend
