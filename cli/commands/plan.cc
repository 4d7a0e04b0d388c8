// lamina plan: what a build would do. Runs nothing, writes nothing, needs no
// rights beyond reading.
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/build_flags.h"
#include "cli/command.h"
#include "cli/compile.h"
#include "cli/plan_flags.h"
#include "cli/plan_formats/plan_format.h"
#include "cli/planning.h"
#include "cli/remote_access.h"
#include "cli/store_access.h"
#include "cli/terminal_text.h"

namespace lamina::cli {
namespace {

absl::StatusOr<PlanPrintOptions> ReadPrintOptions(const Invocation& invocation,
                                                  const PlanFormat& format) {
  PlanPrintOptions options;
  ASSIGN_OR_RETURN(options.stage, FindPlanStage(invocation.Get("stage")));
  ASSIGN_OR_RETURN(int64_t fold, invocation.GetInt("fold"));
  if (fold < 0) {
    return UsageError("--fold is a number of steps, or 0 for never");
  }
  options.fold = static_cast<size_t>(fold);
  if (!format.draws && (invocation.Has("stage") || invocation.Has("fold"))) {
    return UsageError(absl::StrCat(
        "--stage and --fold are about pictures; --format=", format.name,
        " is none"));
  }
  options.verbose = invocation.GetBool("verbose");
  if (isatty(STDOUT_FILENO) != 0) {
    options.width = AskTerminalSize(STDOUT_FILENO).columns;
    const char* no_colour = getenv("NO_COLOR");
    options.colour = no_colour == nullptr || *no_colour == '\0';
  }
  return options;
}

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
  ASSIGN_OR_RETURN(const PlanFormat* format,
                   FindPlanFormat(invocation.Get("format")));
  ASSIGN_OR_RETURN(PlanPrintOptions print,
                   ReadPrintOptions(invocation, *format));
  int64_t build = 0;
  if (invocation.Has("report")) {
    ASSIGN_OR_RETURN(build, invocation.GetInt("report"));
  }
  input.plan.read_everything = true;
  ASSIGN_OR_RETURN(backend::Store * store, remote.GetStore());
  ASSIGN_OR_RETURN(backend::RemoteSources * sources,
                   remote.GetSources(invocation, input.resources));
  std::string emit = invocation.Has("emit") ? invocation.Get("emit") : "plan";
  ASSIGN_OR_RETURN(Compiled compiled, Compile(input, emit, store, *sources,
                                              /*wants_written=*/true));
  if (!compiled.plan.has_value()) {
    return compiled.emitted ? 0 : compiled.exit_code;
  }
  ASSIGN_OR_RETURN(backend::PlanReport report,
                   MakeDryRun(input, compiled, build, store));
  RETURN_IF_ERROR(PrintResult(format->print(report, print)));
  return report.too_many_layers.empty() ? 0 : 1;
}

}  // namespace

extern const Command kPlan = {
    .name = "plan",
    .group = "Build",
    .summary = "show what a build would run, which layers it would make, why",
    .usage = "[FLAGS] FOLDER|ARCHIVE|URL|-",
    .flags = kPlanFlags,
    .min_words = 1,
    .max_words = 1,
    .description = "Runs nothing and writes nothing. Takes the flags of "
                   "`lamina build`.",
    .examples = "lamina plan .\n"
                "lamina plan --target test --build-arg V=2 .\n"
                "lamina plan -O2 --format=html . > plan.html",
    .run = RunPlan,
};

}  // namespace lamina::cli
