// Checks what a pass says it did, from the graphs before and after and nothing
// else of the pass.
#pragma once

#include "absl/status/status.h"
#include "ir/graph.h"
#include "ir/pass.h"

namespace lamina::ir {

// What has to hold (optimiser.md 3, 4):
//
//   always      a node without a witness is as it was, on what stands for its
//               inputs; targets keep name, configuration, root and the entries
//               of their history. An entry has no layer any more only if its
//               node went as overwritten or as setting metadata.
//   unreachable no target needs the node.
//   equal       the same op on the same inputs; both may be cached or neither.
//
// Shares no code with the passes. The error names the node.
absl::Status VerifyRewrite(const BuildGraph& before, const Rewrite& rewrite,
                           const Facts& facts);

}  // namespace lamina::ir
