// Graph -> graph: the passes that a level and the user ask for.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/source.h"
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

// One thing that a pass did, for people: the places of the step that went or
// is marked, and of the one that stands for it or before it.
struct Applied {
  absl::string_view pass;
  SourceRange step;
  std::optional<SourceRange> other;
  std::string text;  // "`COPY a /` is overwritten by `COPY a b /`"
  absl::string_view rule;  // What allows it: "overwritten".
};

// `applied`, if it is not null, gets what was done to steps of targets, in
// order.
BuildGraph Optimise(BuildGraph graph, const OptimiseOptions& options,
                    const Facts& facts,
                    std::vector<Applied>* applied = nullptr);

}  // namespace lamina::ir
