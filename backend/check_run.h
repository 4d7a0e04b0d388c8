// What a RUN needs from this machine and from the user, checked before any step
// runs.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "backend/plan.h"
#include "base/diagnostic.h"
#include "base/source.h"
#include "ir/graph.h"

namespace lamina::backend {

// The keyword alone marks an instruction better than all its lines.
SourceRange KeywordRange(const SourceFile& source, SourceRange instruction);

// Reports secrets and ssh agents that are required and were not given.
void CheckSecrets(const ir::Run& run, const ir::Node& node,
                  const PlanOptions& options, const SourceFile& source,
                  Diagnostics& diagnostics);

// Reports a RUN whose programs are of a platform that the kernel cannot run.
void CheckRunPlatform(const ir::Run& run, const ir::Node& node,
                      const PlanOptions& options, const SourceFile& source,
                      Diagnostics& diagnostics);

// What `folder` (/proc/sys/fs/binfmt_misc) says about programs of an
// architecture such as "arm64".
struct Emulation {
  bool mounted = false;  // The folder is a binfmt_misc.
  bool enabled = false;  // As a whole.
  bool ready = false;    // A handler takes these programs.
  std::string disabled;  // Name of one that would.
};
Emulation FindEmulation(absl::string_view architecture,
                        const std::string& folder);

}  // namespace lamina::backend
