// lamina plan: what a build would do. Runs nothing, writes nothing, needs no
// rights beyond reading.
#include <utility>

#include "base/status.h"
#include "cli/build_flag_table.h"
#include "cli/build_flags.h"
#include "cli/command.h"
#include "cli/compile.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

absl::StatusOr<int> RunPlan(const Invocation& invocation) {
  ASSIGN_OR_RETURN(BuildInput input, ReadBuildInput(invocation));
  if (!input.caches_to_read.empty() || !input.caches_to_write.empty()) {
    return UsageError(
        "plan writes nothing, neither to the store nor to a cache folder: it "
        "takes no --cache-from and --cache-to");
  }
  input.plan.read_everything = true;
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreForReading(StoreRoot(invocation.Get("root"))));
  std::string emit =
      invocation.Has("emit") ? invocation.Get("emit") : "plan";
  ASSIGN_OR_RETURN(Compiled compiled,
                   Compile(input, emit, store.get()));
  return compiled.emitted ? 0 : 1;
}

}  // namespace

extern const Command kPlan = {
    .name = "plan",
    .group = "Build",
    .summary = "show what a build would run, what is cached and why not",
    .usage = "[FLAGS] FOLDER|ARCHIVE|-",
    .flags = kBuildFlags,
    .min_words = 1,
    .max_words = 1,
    .description = "Takes the flags of `lamina build`.",
    .examples = "lamina plan .\nlamina plan --target test --build-arg V=2 .",
    .run = RunPlan,
};

}  // namespace lamina::cli
