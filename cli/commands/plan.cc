// lamina plan: what a build would do. Runs nothing, writes nothing, needs no
// rights beyond reading.
#include <utility>

#include "base/status.h"
#include "cli/build_flag_table.h"
#include "cli/build_flags.h"
#include "cli/command.h"
#include "cli/compile.h"
#include "cli/remote_access.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

absl::StatusOr<int> RunPlan(const Invocation& invocation) {
  RemoteAccess remote(
      [&] { return OpenStoreForReading(StoreRoot(invocation.Get("root"))); },
      RemoteAccess::Rights::kReadStore, nullptr);
  ASSIGN_OR_RETURN(BuildInput input, ReadBuildInput(invocation, remote));
  if (!input.caches_to_read.empty() || !input.caches_to_write.empty()) {
    return UsageError(
        "plan writes nothing, neither to the store nor to a cache folder: it "
        "takes no --cache-from and --cache-to");
  }
  input.plan.read_everything = true;
  ASSIGN_OR_RETURN(backend::Store * store, remote.GetStore());
  ASSIGN_OR_RETURN(backend::RemoteSources * sources,
                   remote.GetSources(invocation, input.resources));
  std::string emit =
      invocation.Has("emit") ? invocation.Get("emit") : "plan";
  ASSIGN_OR_RETURN(Compiled compiled,
                   Compile(input, emit, invocation.Get("opt") != "0",
                           store, *sources));
  return compiled.emitted ? 0 : compiled.exit_code;
}

}  // namespace

extern const Command kPlan = {
    .name = "plan",
    .group = "Build",
    .summary = "show what a build would run, what is cached and why not",
    .usage = "[FLAGS] FOLDER|ARCHIVE|URL|-",
    .flags = kBuildFlags,
    .min_words = 1,
    .max_words = 1,
    .description = "Takes the flags of `lamina build`.",
    .examples = "lamina plan .\nlamina plan --target test --build-arg V=2 .",
    .run = RunPlan,
};

}  // namespace lamina::cli
