// lamina explain: everything the plan knows of one step.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/build_flag_table.h"
#include "cli/build_flags.h"
#include "cli/command.h"
#include "cli/compile.h"
#include "cli/planning.h"
#include "cli/remote_access.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;
using backend::ReportState;
using backend::ReportStep;

// "4", "build:2" (the second step of a stage) or "Dockerfile:12" (a line).
absl::StatusOr<const ReportStep*> FindStep(const PlanReport& report,
                                           const std::string& word) {
  int number = 0;
  size_t colon = word.rfind(':');
  std::string stage =
      colon == std::string::npos ? "" : word.substr(0, colon);
  if (!absl::SimpleAtoi(word.substr(colon + 1), &number) || number < 1) {
    return UsageError(absl::StrCat(
        "a step is named by its number in `lamina plan`, as STAGE:N or as "
        "FILE:LINE, not `", word, "`"));
  }
  int in_stage = 0;
  for (const ReportStep& step : report.steps) {
    bool line = stage == step.file && number >= step.line &&
                number <= step.end_line;
    bool counted = stage == step.stage && step.number > 0 &&
                   ++in_stage == number;
    if (stage.empty() ? step.number == number : (line || counted)) {
      return &step;
    }
  }
  return UserError(absl::StrCat(
      "there is no step `", word, "`; the plan has ", report.run +
      report.cached, " steps, see `lamina plan`"));
}

std::string Steps(const std::vector<int>& numbers) {
  return absl::StrJoin(numbers, ", ");
}

std::string StateText(const ReportStep& step) {
  switch (step.state) {
    case ReportState::kCached:
      return "cached: the same instruction on the same inputs was run before";
    case ReportState::kSkipped:
      return absl::StrCat("skipped: ", step.reason);
    case ReportState::kRun:
      break;
  }
  return absl::StrCat("will run: ", step.reason);
}

void AddEstimates(const ReportStep& step, std::string& out) {
  if (step.bytes.mean.has_value()) {
    absl::StrAppend(&out, "writes    ", step.bytes.exact ? "" : "~",
                    BinarySize(static_cast<uint64_t>(*step.bytes.mean)), " (",
                    step.bytes.source, ")\n");
  }
  if (step.state == ReportState::kRun) {
    absl::StrAppend(
        &out, "takes     ",
        step.seconds.mean.has_value()
            ? absl::StrFormat("~%.1f s (%s)", *step.seconds.mean,
                              step.seconds.source)
            : "? (never run here)",
        "\n");
  }
}

void AddLayer(const PlanReport& report, const ReportStep& step,
              std::string& out) {
  if (step.layer < 0) {
    if (step.state != ReportState::kSkipped) {
      absl::StrAppend(&out,
                      "layer     none: it changes nothing in the target, or "
                      "its files are spread over layers\n");
    }
    return;
  }
  const backend::ReportLayer& layer = report.layers[step.layer];
  absl::StrAppend(&out, "layer     ", step.layer + 1, " of ",
                  report.layers.size(), ", ",
                  layer.steps.size() == 1
                      ? "alone"
                      : absl::StrCat("with steps ", Steps(layer.steps)),
                  "\n");
  for (const backend::ReportDecision& decision : report.decisions) {
    if (decision.after != step.number && decision.before != step.number) {
      continue;
    }
    absl::StrAppend(&out, decision.cut ? "apart     " : "merged    ",
                    decision.after, decision.cut ? "|" : "+", decision.before,
                    " ", decision.reason, ": ", decision.text, "\n");
  }
}

std::string Explain(const PlanReport& report, const ReportStep& step) {
  std::string out =
      step.number > 0 ? absl::StrCat("step ", step.number, " ") : "";
  absl::StrAppend(&out, EscapeControls(step.text), "\n  at ", step.file, ":",
                  step.line, ", stage ", step.stage, "\n");
  absl::StrAppend(&out, "state     ", EscapeControls(StateText(step)), "\n");
  if (!step.inputs.empty() || !step.base_inputs.empty()) {
    std::vector<std::string> inputs = step.base_inputs;
    for (int input : step.inputs) {
      inputs.push_back(absl::StrCat("step ", input));
    }
    absl::StrAppend(&out, "inputs    ", absl::StrJoin(inputs, ", "), "\n");
  }
  if (!step.key.empty()) {
    absl::StrAppend(&out, "key       ", step.key, "\n");
  }
  AddEstimates(step, out);
  AddLayer(report, step, out);
  for (const backend::ReportRewrite& rewrite : report.rewrites) {
    if (std::count(rewrite.steps.begin(), rewrite.steps.end(), step.number)) {
      absl::StrAppend(&out, "rewrite   ", rewrite.pass, ": ", rewrite.text,
                      "\n");
    }
  }
  for (const backend::WasteRow& waste : report.waste) {
    if (waste.step == step.number || waste.guilty == step.number) {
      absl::StrAppend(&out, "waste     ", BinarySize(waste.bytes), " of step ",
                      waste.step, " ", waste.cause, " by step ", waste.guilty,
                      waste.advice.empty() ? "" : "; ", waste.advice, "\n");
    }
  }
  return out;
}

absl::StatusOr<int> RunExplain(const Invocation& invocation) {
  // The words are the step, then the context as in `build`.
  std::string step_word = invocation.words()[0];
  std::string context =
      invocation.words().size() > 1 ? invocation.words()[1] : ".";
  RemoteAccess remote(
      [&] { return OpenStoreForReading(StoreRoot(invocation.Get("root"))); },
      RemoteAccess::Rights::kReadStore, nullptr);
  ASSIGN_OR_RETURN(BuildInput input,
                   ReadBuildInput(invocation.WithWords({context}), remote));
  input.plan.read_everything = true;
  ASSIGN_OR_RETURN(backend::Store * store, remote.GetStore());
  ASSIGN_OR_RETURN(backend::RemoteSources * sources,
                   remote.GetSources(invocation, input.resources));
  ASSIGN_OR_RETURN(Compiled compiled, Compile(input, "plan", store, *sources,
                                              /*wants_written=*/true));
  if (!compiled.plan.has_value()) {
    return compiled.exit_code;
  }
  ASSIGN_OR_RETURN(PlanReport report, MakeDryRun(input, compiled, 0, store));
  ASSIGN_OR_RETURN(const ReportStep* step, FindStep(report, step_word));
  RETURN_IF_ERROR(PrintResult(Explain(report, *step)));
  return 0;
}

}  // namespace

extern const Command kExplain = {
    .name = "explain",
    .group = "Build",
    .summary = "say why a step is cached or not, merged or kept apart",
    .usage = "[FLAGS] STEP [FOLDER|ARCHIVE|-]",
    .flags = kBuildFlags,
    .min_words = 1,
    .max_words = 2,
    .description = "STEP is a number of `lamina plan`, STAGE:N or FILE:LINE. "
                   "Runs nothing and writes nothing; takes the flags of "
                   "`lamina build`.",
    .examples = "lamina explain 4 .\nlamina explain Dockerfile:12 .",
    .run = RunExplain,
};

}  // namespace lamina::cli
