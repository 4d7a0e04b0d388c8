#include "cli/compile.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backend/graph_facts.h"
#include "base/status.h"
#include "cli/ignore_input.h"
#include "cli/lower_input.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"
#include "ir/graph.h"
#include "ir/optimise.h"

namespace lamina::cli {
namespace {

void Report(Diagnostics& diagnostics, const BuildInput& input) {
  diagnostics.Sort();
  std::string text = Render(diagnostics, input.source, input.render);
  fwrite(text.data(), 1, text.size(), stderr);
}

// What the graph or the configuration cannot tell. A plan has own lines.
void ReportUnknownBases(const ir::BuildGraph& graph, Diagnostics& diagnostics) {
  for (const ir::Node& node : graph.nodes) {
    if (std::optional<std::string> gap = backend::UnknownBase(node.op)) {
      diagnostics.Warning("unknown-base", node.source, *std::move(gap));
    }
  }
}

// What a build cannot do without, and may not fetch.
void ReportUnknownSources(const ir::BuildGraph& graph,
                          const backend::PlanOptions& options,
                          Diagnostics& diagnostics) {
  for (const ir::Node& node : graph.nodes) {
    if (!backend::IsRemote(node.op)) {
      continue;
    }
    const std::string& why = backend::RemoteStateOf(node.op, options).unknown;
    if (!why.empty()) {
      diagnostics.Error("not-fetched", node.source,
                        absl::StrCat(why, "; build without --offline once"));
    }
  }
}

// Failures of the world alone are not the user's mistake.
int ExitCode(const Diagnostics& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.severity == Severity::kError &&
        diagnostic.code != "fetch-failed") {
      return 1;
    }
  }
  return 3;
}

absl::Status CheckEmit(const std::string& emit) {
  const std::vector<std::string> known = {"", "syntax", "graph", "plan",
                                          "config"};
  if (std::find(known.begin(), known.end(), emit) != known.end()) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat(
      "--emit is syntax, graph, plan or config, not `", emit, "`"));
}

std::string PrintConfig(const ir::ImageConfig& config) {
  return absl::StrCat(PrintJson(ir::ImageConfigJson(config)), "\n");
}

absl::StatusOr<Compiled> Emit(absl::string_view text) {
  RETURN_IF_ERROR(PrintResult(text));
  Compiled compiled;
  compiled.emitted = true;
  return compiled;
}

}  // namespace

absl::StatusOr<Compiled> Compile(const BuildInput& input,
                                 const std::string& emit, backend::Store* store,
                                 backend::RemoteSources& remotes,
                                 bool wants_written) {
  RETURN_IF_ERROR(CheckEmit(emit));
  if (!input.file_mistakes.empty()) {
    std::string text = RenderFileMistakes(input.file_mistakes, input.render);
    fwrite(text.data(), 1, text.size(), stderr);
    return Compiled();
  }
  Diagnostics diagnostics;
  grammar::DockerfileSyntax syntax = grammar::ParseDockerfile(
      input.source, frontend::DockerfileKeywords(), diagnostics);
  if (emit == "syntax" && !diagnostics.has_errors()) {
    Report(diagnostics, input);
    return Emit(grammar::PrintDockerfile(syntax));
  }
  bool offline = input.offline && !emit.empty();
  ASSIGN_OR_RETURN(LoweredInput lowered,
                   LowerInput(syntax, input, offline, store, diagnostics));
  if (diagnostics.has_errors()) {
    Report(diagnostics, input);
    return Compiled();
  }
  // From here on the graph is valid: later stages CHECK, they do not diagnose
  // it.
  Compiled compiled;
  if (wants_written) {
    compiled.written = lowered.graph;
    compiled.unreached = frontend::FindUnreachedSteps(syntax, lowered.options,
                                                      lowered.bases);
  }
  ir::BuildGraph graph = ir::Optimise(std::move(lowered.graph), input.optimise,
                       backend::MakeFacts(input.plan, store),
                       wants_written ? &compiled.applied : nullptr);
  if (emit == "graph" || emit == "config") {
    ReportUnknownBases(graph, diagnostics);
    Report(diagnostics, input);
    return Emit(emit == "graph" ? ir::PrintGraph(graph)
                                : PrintConfig(graph.targets[0].config));
  }
  backend::PlanOptions plan_options = input.plan;
  plan_options.offline = offline;
  plan_options.source_date_epoch = lowered.epoch;
  ASSIGN_OR_RETURN(plan_options.remotes, remotes.Resolve(graph, diagnostics));
  if (emit.empty()) {
    ReportUnknownSources(graph, plan_options, diagnostics);
  }
  ASSIGN_OR_RETURN(backend::Plan plan,
                   backend::MakePlan(std::move(graph), plan_options, store,
                                     input.source, diagnostics));
  if (emit.empty() && !diagnostics.has_errors()) {
    RETURN_IF_ERROR(remotes.Fetch(plan.graph, backend::RemotesToFetch(plan),
                                  plan.options.remotes, diagnostics));
  }
  diagnostics.Sort();
  bool waits = emit.empty() && !wants_written && !diagnostics.has_errors() &&
               input.render.format == ErrorFormat::kSarif;
  if (!waits) {
    Report(diagnostics, input);
  }
  if (diagnostics.has_errors()) {
    compiled.exit_code = ExitCode(diagnostics);
    return compiled;
  }
  compiled.plan = std::move(plan);
  compiled.diagnostics = std::move(diagnostics);
  return compiled;
}

}  // namespace lamina::cli
