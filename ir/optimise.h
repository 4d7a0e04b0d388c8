// Graph -> graph: the passes that a level and the user ask for.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ir/graph.h"
#include "ir/pass.h"

namespace lamina::ir {

// "0", "1", "2" or "s".
std::optional<OptLevel> ParseOptLevel(absl::string_view text);

struct OptimiseOptions {
  OptLevel level = OptLevel::k1;
  std::map<std::string, bool> passes;  // --pass NAME=on|off, against the level.
  // Checks each pass's result and witnesses. Debug builds always do. A mistake
  // found ends the program: it is ours.
  bool verify = false;
};

// "NAME=on" or "NAME=off" into `options`. The error names what is near.
absl::Status SetPass(absl::string_view text, OptimiseOptions& options);

BuildGraph Optimise(BuildGraph graph, const OptimiseOptions& options,
                    const Facts& facts);

}  // namespace lamina::ir
