// lamina build: from a Dockerfile to an image.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "backend/cache_folder.h"
#include "backend/check_run.h"
#include "backend/executor.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/build_flag_table.h"
#include "cli/build_flags.h"
#include "cli/build_outcome.h"
#include "cli/check.h"
#include "cli/command.h"
#include "cli/compile.h"
#include "cli/progress.h"
#include "cli/remote_access.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

std::atomic<int> g_cancel = 0;

// The first signal stops the step and cleans up, the second one ends at once.
void OnSignal(int signal) {
  if (g_cancel.exchange(signal) != 0) {
    _exit(128 + signal);
  }
}

absl::StatusOr<backend::Durability> ReadDurability(
    const Invocation& invocation) {
  std::string text = invocation.Get("durability");
  if (text == "full") {
    return backend::Durability::kFull;
  }
  if (text == "image") {
    return backend::Durability::kImage;
  }
  if (text == "none") {
    return backend::Durability::kNone;
  }
  return UsageError(absl::StrCat("--durability is full, image or none, not `",
                                 text, "`"));
}

absl::StatusOr<backend::ExecuteOptions> ReadExecuteOptions(
    const Invocation& invocation, const BuildInput& input) {
  backend::ExecuteOptions options;
  options.layers = input.layers;
  options.tags = input.tags;
  options.now = time(nullptr);
  options.hostname = invocation.Get("hostname");
  auto named = input.frontend.build_args.find("BUILDKIT_SANDBOX_HOSTNAME");
  if (named != input.frontend.build_args.end()) {
    options.hostname = named->second;
  }
  for (const std::string& text : invocation.GetAll("add-host")) {
    std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
      return UsageError(
          absl::StrCat("--add-host takes NAME:IP, not `", text, "`"));
    }
    options.extra_hosts.emplace_back(parts[0], parts[1]);
  }
  options.cancel = &g_cancel;
  options.resources = input.resources;
  options.jobs = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  if (invocation.Has("jobs")) {
    ASSIGN_OR_RETURN(int64_t jobs, invocation.GetInt("jobs"));
    if (jobs < 1 || jobs > 1024) {
      return UsageError("--jobs is a number from 1 to 1024");
    }
    options.jobs = static_cast<int>(jobs);
  }
  return options;
}

bool IsSarif(const BuildInput& input) {
  return input.render.format == ErrorFormat::kSarif;
}

// The source of a COPY that is not there, else the keyword.
SourceRange PlaceOfFailure(const backend::StepFailure& failure,
                           const backend::Plan& plan,
                           const SourceFile& source) {
  const ir::Node& node = plan.graph.nodes[failure.node];
  if (const auto* copy = std::get_if<ir::Copy>(&node.op)) {
    for (size_t i = 0; i < copy->sources.size(); ++i) {
      std::string path = CleanPath(absl::StrCat("/", copy->sources[i]));
      if (i < node.words.ranges.size() &&
          absl::StartsWith(failure.message, absl::StrCat("\"", path, "\""))) {
        return node.words.ranges[i];
      }
    }
  }
  return backend::KeywordRange(source, node.source);
}

// The failed step as a diagnostic at its line, with the end of its output.
// `diagnostics` is what was found before and not printed yet.
void ReportFailure(const backend::StepFailure& failure,
                   const backend::Plan& plan, const BuildInput& input,
                   Diagnostics& diagnostics) {
  SourceRange range = PlaceOfFailure(failure, plan, input.source);
  std::string message = failure.message;
  if (message.empty()) {
    message = absl::StrCat(
        input.source.Slice(range), " ",
        failure.result.signal != 0
            ? absl::StrCat("was ended by signal ", failure.result.signal)
            : absl::StrCat("failed with exit code ",
                           failure.result.exit_code));
  }
  diagnostics.Error("step-failed", range, std::move(message));
  std::string out = Render(diagnostics, input.source, input.render);
  if (input.render.format == ErrorFormat::kHuman) {
    for (absl::string_view line :
         absl::StrSplit(failure.last_output, '\n')) {
      if (!failure.last_output.empty()) {
        absl::StrAppend(&out, "  | ", EscapeControls(line), "\n");
      }
    }
    absl::StrAppend(&out, "note: ", failure.step_number - 1,
                    " earlier steps stay cached\n");
  }
  fwrite(out.data(), 1, out.size(), stderr);
}

int FailureCode(const Invocation& invocation,
                const backend::StepFailure& failure) {
  if (g_cancel != 0) {
    return 128 + g_cancel;
  }
  return invocation.GetBool("exit-code-from-step") && failure.message.empty()
             ? failure.result.exit_code
             : 1;
}

absl::Status WriteOutputs(const Invocation& invocation,
                          const BuildInput& input,
                          const Planning& planning,
                          const backend::BuildResult& result,
                          const backend::BuildDocument& build,
                          backend::Store& store) {
  for (const OutputSpec& output : input.outputs) {
    backend::ExportImage image = {*result.image, input.tags};
    image.names.insert(image.names.end(), output.options.names.begin(),
                       output.options.names.end());
    RETURN_IF_ERROR(output.format->write({image}, store, output.options));
  }
  if (invocation.Has("iidfile")) {
    RETURN_IF_ERROR(ReplaceFile(invocation.Get("iidfile"),
                                result.image->id.ToString(), 0644, false));
  }
  if (invocation.Has("metadata-file")) {
    RETURN_IF_ERROR(ReplaceFile(invocation.Get("metadata-file"),
                                BuildMetadata(input, planning, result, build),
                                0644, false));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> WantsCheck(const Invocation& invocation) {
  std::string call = invocation.Get("call");
  if (call != "build" && call != "check") {
    return UsageError(absl::StrCat("--call is build or check, not `", call,
                                   "`; `lamina plan` shows targets and steps"));
  }
  return invocation.GetBool("check") || call == "check";
}

// Writes nothing, as `plan` does.
absl::StatusOr<int> RunCheck(const Invocation& invocation) {
  RemoteAccess remote(
      [&] { return OpenStoreForReading(StoreRoot(invocation.Get("root"))); },
      RemoteAccess::Rights::kReadStore, nullptr);
  ASSIGN_OR_RETURN(BuildInput input, ReadBuildInput(invocation, remote));
  ASSIGN_OR_RETURN(backend::Store * store, remote.GetStore());
  return CheckBuildFile(std::move(input), store);
}

absl::StatusOr<int> RunBuild(const Invocation& invocation) {
  ASSIGN_OR_RETURN(bool wants_check, WantsCheck(invocation));
  if (wants_check) {
    return RunCheck(invocation);
  }
  ASSIGN_OR_RETURN(backend::Durability durability,
                   ReadDurability(invocation));
  using Rights = RemoteAccess::Rights;
  RemoteAccess remote(
      [&] {
        // From here on a signal leaves something to clean up.
        signal(SIGINT, OnSignal);
        signal(SIGTERM, OnSignal);
        return OpenStore(invocation, durability);
      },
      invocation.GetBool("offline") ? Rights::kWriteStore : Rights::kUseNetwork,
      &g_cancel);
  absl::StatusOr<BuildInput> read = ReadBuildInput(invocation, remote);
  if (g_cancel != 0) {
    return 128 + g_cancel;
  }
  ASSIGN_OR_RETURN(BuildInput input, std::move(read));
  ASSIGN_OR_RETURN(backend::ExecuteOptions options,
                   ReadExecuteOptions(invocation, input));
  ASSIGN_OR_RETURN(ProgressMode mode,
                   ParseProgressMode(invocation.Get("progress")));
  ASSIGN_OR_RETURN(backend::Store * store, remote.GetStore());
  ASSIGN_OR_RETURN(backend::RemoteSources * sources,
                   remote.GetSources(invocation, input.resources));
  for (const std::string& folder : input.caches_to_read) {
    RETURN_IF_ERROR(backend::ReadCacheFolder(folder, *store));
  }
  std::string emit = invocation.Get("emit");
  ASSIGN_OR_RETURN(Compiled compiled,
                   Compile(input, emit, store, *sources,
                           /*wants_written=*/emit == "plan"));
  if (g_cancel != 0) {
    return 128 + g_cancel;
  }
  if (!compiled.plan.has_value()) {
    return compiled.emitted ? 0 : compiled.exit_code;
  }
  if (emit == "plan") {
    RETURN_IF_ERROR(PrintDryRun(input, compiled, store));
    return 0;
  }
  ASSIGN_OR_RETURN(Planning planning,
                   PreparePlanning(input, *compiled.plan, store));
  ASSIGN_OR_RETURN(bool fits,
                   CheckLimit(input, *compiled.plan, planning, *store));
  if (!fits) {
    return 1;
  }
  RETURN_IF_ERROR(AddForecast(input, *compiled.plan, *store, planning));
  options.exports = planning.policy;
  // From here on nothing is decided, only carried out.
  // A SARIF log is a document of its own: no progress stands around it.
  bool quiet = invocation.GetBool("quiet") || IsSarif(input);
  Progress progress(quiet ? ProgressMode::kQuiet
                          : ResolveProgressMode(mode, STDERR_FILENO));
  std::unique_ptr<runtime::Sandbox> sandbox = runtime::MakeKernelSandbox();
  absl::StatusOr<backend::BuildResult> result = backend::Execute(
      *compiled.plan, *store, *sandbox, options,
      [&](const backend::BuildEvent& event) { progress.Handle(event); });
  progress.Finish();
  RETURN_IF_ERROR(result.status());
  if (result->failure.has_value()) {
    ReportFailure(*result->failure, *compiled.plan, input,
                  compiled.diagnostics);
    return FailureCode(invocation, *result->failure);
  }
  if (result->exported.problem.has_value()) {
    RETURN_IF_ERROR(ReportLimitAfterRun(input, *compiled.plan, planning,
                                        *result->exported.problem, *store));
    return 1;
  }
  if (IsSarif(input)) {
    std::string log = Render(compiled.diagnostics, input.source, input.render);
    fwrite(log.data(), 1, log.size(), stderr);
  }
  ASSIGN_OR_RETURN(backend::BuildDocument build,
                   DescribeBuild(input, planning, *result, *store));
  RETURN_IF_ERROR(
      WriteOutputs(invocation, input, planning, *result, build, *store));
  for (const std::string& folder : input.caches_to_write) {
    RETURN_IF_ERROR(backend::WriteCacheFolder(result->records, folder, *store,
                                              input.layers));
  }
  RETURN_IF_ERROR(WriteLock(input, *result, *store));
  if (invocation.Has("write-trace")) {
    RETURN_IF_ERROR(WriteTrace(invocation.Get("write-trace"), input,
                               *compiled.plan, planning, *result, *store));
  }
  RETURN_IF_ERROR(RecordBuild(planning, build, options.now, *store));
  if (!quiet && mode != ProgressMode::kQuiet) {
    fputs(BuildSummary(planning, *result, build).c_str(), stderr);
  }
  bool stdout_taken = false;
  for (const OutputSpec& output : input.outputs) {
    stdout_taken = stdout_taken || output.options.dest == "-";
  }
  if (!stdout_taken) {
    RETURN_IF_ERROR(
        PrintResult(absl::StrCat(result->image->id.ToString(), "\n")));
  }
  return 0;
}

}  // namespace

constexpr auto kBuildCommandFlags = JoinFlags(kBuildFlags, kCheckFlags);

extern const Command kBuild = {
    .name = "build",
    .group = "Build",
    .summary = "build an image from a Dockerfile",
    .usage = "[FLAGS] FOLDER|ARCHIVE|URL|-",
    .flags = kBuildCommandFlags,
    .min_words = 1,
    .max_words = 1,
    .description =
        "The image goes to the local store and, with -o, to an archive too; "
        "its id is printed on standard output.",
    .examples = "lamina build -t app:1 .\n"
                "lamina build -t app:1 -o app.tar --target release .\n"
                "lamina build --check .\n"
                "lamina build -f - . < Dockerfile",
    .run = RunBuild,
};

}  // namespace lamina::cli
