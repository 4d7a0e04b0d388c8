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
//   overwritten the node is a COPY, nobody but the next step reads it, and that
//               is, but for others that went, the COPY `other` to the same
//               place, which names the same files.
//   metadata    the node is a RUN by root of chmod or chown on its `paths`, all
//               that its parent `other` places, and `other` now sets the same
//               modes or owners.
//   sandbox     both are RUNs of one stage, nobody else reads the first one,
//               their mounts and sandboxes are alike (4.2), and the first only
//               calls commands whose repetition costs next to nothing.
//
// Shares no code with the passes. The error names the node.
absl::Status VerifyRewrite(const BuildGraph& before, const Rewrite& rewrite,
                           const Facts& facts);

}  // namespace lamina::ir
