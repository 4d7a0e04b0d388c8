#include "cli/compile.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "backend/graph_facts.h"
#include "base/sarif.h"
#include "base/status.h"
#include "base/text.h"
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

// Mistakes in the files beside the build file.
void ReportFiles(const BuildInput& input) {
  std::vector<FileDiagnostics> files;
  std::string text;
  for (const auto& [file, diagnostics] : input.file_mistakes) {
    files.push_back({diagnostics, file});
    text += Render(diagnostics, file, input.render);
  }
  if (input.render.format == ErrorFormat::kSarif) {
    text = RenderSarif(files, input.render.version);
  }
  fwrite(text.data(), 1, text.size(), stderr);
}

// Looks the bases up in the store; an unknown one is the user's to fetch, or
// stays unknown in an offline plan.
class BaseFinder {
 public:
  BaseFinder(const BuildInput& input, const frontend::BuildOptions& options,
             bool offline, backend::Store* store)
      : input_(input), options_(options), offline_(offline), store_(store) {}

  absl::StatusOr<frontend::BaseImages> Find(
      const grammar::DockerfileSyntax& syntax, Diagnostics& diagnostics) {
    // A base may have triggers that name further images.
    size_t seen = 0;
    do {
      seen = seen_.size();
      Diagnostics ignored;  // Lowering reports the same mistakes.
      for (const frontend::BaseUse& use : frontend::FindBases(
               syntax, input_.source, options_, bases_, ignored)) {
        if (seen_.insert(use.reference.Full()).second) {
          RETURN_IF_ERROR(LookUp(use, diagnostics));
        }
      }
    } while (seen_.size() > seen);
    return std::move(bases_);
  }

 private:
  absl::Status LookUp(const frontend::BaseUse& use, Diagnostics& diagnostics) {
    absl::Status missing = absl::NotFoundError("there is no store yet");
    auto layout = input_.layout_images.find(use.reference.Full());
    if (layout != input_.layout_images.end()) {
      return LookUpLayout(layout->first, layout->second);
    }
    if (store_ != nullptr) {
      absl::StatusOr<backend::Image> image =
          store_->FindImage(use.reference.Full());
      if (image.ok()) {
        bases_[use.reference.Full()] = {image->id, image->document};
        return absl::OkStatus();
      }
      missing = image.status();
    }
    if (missing.code() != absl::StatusCode::kNotFound) {
      return missing;
    }
    return offline_ ? absl::OkStatus() : ReportMissing(use, diagnostics);
  }

  // An image that a build has loaded; a plan may know none of it.
  absl::Status LookUpLayout(const std::string& name, const Digest& id) {
    if (store_ == nullptr) {
      return absl::OkStatus();
    }
    absl::StatusOr<backend::Image> image = store_->GetImage(id);
    if (image.ok()) {
      bases_[name] = {image->id, image->document};
    }
    return absl::IsNotFound(image.status()) ? absl::OkStatus()
                                            : image.status();
  }

  absl::Status ReportMissing(const frontend::BaseUse& use,
                             Diagnostics& diagnostics) {
    std::string name = use.reference.Familiar();
    Diagnostic unknown;
    unknown.code = "unknown-image";
    unknown.range = use.range;
    if (use.near_stage.has_value()) {
      unknown.message =
          absl::StrCat("no stage and no local image `", name,
                       "`; did you mean the stage `", *use.near_stage, "`?");
      unknown.fix = {{absl::StrCat("use the stage `", *use.near_stage, "`"),
                      {{use.range, *use.near_stage}}}};
    } else {
      unknown.message = absl::StrCat(
          "no image `", name,
          "` in the local store; `lamina load` or `lamina import` brings one "
          "in");
    }
    std::vector<std::string> names;
    if (store_ != nullptr) {
      ASSIGN_OR_RETURN(auto tags, store_->ListTags());
      for (const auto& [full, id] : tags) {
        absl::StatusOr<ir::ImageReference> tag =
            ir::ImageReference::Parse(full);
        names.push_back(tag.ok() ? tag->Familiar() : full);
      }
    }
    if (std::optional<std::string> near = Closest(name, names)) {
      unknown.notes.push_back(
          {std::nullopt, absl::StrCat("there is `", *near, "`")});
    }
    diagnostics.Add(std::move(unknown));
    return absl::OkStatus();
  }

  const BuildInput& input_;
  const frontend::BuildOptions& options_;
  bool offline_;
  backend::Store* store_;
  std::set<std::string> seen_;
  frontend::BaseImages bases_;
};

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

// Stages that --no-cache-filter names and the file does not have.
void WarnUnknownStages(const grammar::DockerfileSyntax& syntax,
                       const std::set<std::string>& wanted,
                       Diagnostics& diagnostics) {
  std::vector<std::string> known;
  size_t count = 0;
  for (const grammar::Statement& statement : syntax.statements) {
    if (statement.keyword == "FROM") {
      known.push_back(statement.words.size() == 3
                          ? absl::AsciiStrToLower(statement.words[2].text)
                          : absl::StrCat(count));
      ++count;
    }
  }
  for (const std::string& name : wanted) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::optional<std::string> near = Closest(name, known);
      diagnostics.Add(
          {.severity = Severity::kWarning,
           .code = "unknown-stage",
           .message = absl::StrCat(
               "--no-cache-filter: no stage is named `", name, "`",
               near.has_value() ? absl::StrCat("; did you mean `", *near, "`?")
                                : "")});
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
    ReportFiles(input);
    return Compiled();
  }
  Diagnostics diagnostics;
  grammar::DockerfileSyntax syntax = grammar::ParseDockerfile(
      input.source, frontend::DockerfileKeywords(), diagnostics);
  if (emit == "syntax" && !diagnostics.has_errors()) {
    Report(diagnostics, input);
    return Emit(grammar::PrintDockerfile(syntax));
  }
  WarnUnknownStages(syntax, input.plan.no_cache_stages, diagnostics);
  frontend::BuildOptions options = input.frontend;
  std::optional<int64_t> epoch =
      frontend::FindEpoch(syntax, options, diagnostics);
  // Stages that declare it see the number, whatever it was made of.
  options.build_args.erase("SOURCE_DATE_EPOCH");
  if (epoch.has_value()) {
    options.build_args["SOURCE_DATE_EPOCH"] = absl::StrCat(*epoch);
  }
  bool offline = input.offline && !emit.empty();
  ASSIGN_OR_RETURN(frontend::BaseImages bases,
                   BaseFinder(input, options, offline, store)
                       .Find(syntax, diagnostics));
  ir::BuildGraph graph = frontend::LowerDockerfile(syntax, input.source,
                                                   options, bases, diagnostics);
  if (diagnostics.has_errors()) {
    Report(diagnostics, input);
    return Compiled();
  }
  // From here on the graph is valid: later stages CHECK, they do not diagnose
  // it.
  Compiled compiled;
  if (wants_written) {
    compiled.written = graph;
    compiled.unreached =
        frontend::FindUnreachedSteps(syntax, options, bases);
  }
  graph = ir::Optimise(std::move(graph), input.optimise,
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
  plan_options.source_date_epoch = epoch;
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
