#include "cli/compile.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"
#include "ir/graph.h"
#include "ir/pass.h"

namespace lamina::cli {
namespace {

void Report(Diagnostics& diagnostics, const BuildInput& input) {
  diagnostics.Sort();
  std::string text = Render(diagnostics, input.source, input.render);
  fwrite(text.data(), 1, text.size(), stderr);
}

// Looks the bases up in the store; an unknown one is the user's to fetch.
absl::StatusOr<frontend::BaseImages> ResolveBases(
    const std::vector<frontend::BaseUse>& uses, backend::Store* store,
    Diagnostics& diagnostics) {
  frontend::BaseImages bases;
  for (const frontend::BaseUse& use : uses) {
    absl::Status missing = absl::NotFoundError("there is no store yet");
    if (store != nullptr) {
      absl::StatusOr<backend::Image> image =
          store->FindImage(use.reference.Full());
      if (image.ok()) {
        bases[use.reference.Full()] = {image->id, image->document};
        continue;
      }
      missing = image.status();
    }
    if (missing.code() != absl::StatusCode::kNotFound) {
      return missing;
    }
    Diagnostic unknown;
    unknown.code = "unknown-image";
    unknown.range = use.range;
    unknown.message =
        use.near_stage.has_value()
            ? absl::StrCat("no stage and no local image `",
                           use.reference.Familiar(),
                           "`; did you mean the stage `", *use.near_stage,
                           "`?")
            : absl::StrCat("no image `", use.reference.Familiar(),
                           "` in the local store; `lamina load` or `lamina "
                           "import` brings one in");
    if (store != nullptr) {
      ASSIGN_OR_RETURN(auto tags, store->ListTags());
      std::vector<std::string> names;
      for (const auto& [name, id] : tags) {
        absl::StatusOr<ir::ImageReference> tag =
            ir::ImageReference::Parse(name);
        names.push_back(tag.ok() ? tag->Familiar() : name);
      }
      auto near = Closest(use.reference.Familiar(), names);
      if (near.has_value()) {
        unknown.notes.push_back(
            {std::nullopt, absl::StrCat("there is `", *near, "`")});
      }
    }
    diagnostics.Add(std::move(unknown));
  }
  return bases;
}

absl::StatusOr<Compiled> Emit(absl::string_view text) {
  RETURN_IF_ERROR(PrintResult(text));
  Compiled compiled;
  compiled.emitted = true;
  return compiled;
}

}  // namespace

absl::StatusOr<Compiled> Compile(const BuildInput& input,
                                 const std::string& emit, bool optimise,
                                 backend::Store* store) {
  Diagnostics diagnostics;
  grammar::DockerfileSyntax syntax = grammar::ParseDockerfile(
      input.source, frontend::DockerfileKeywords(), diagnostics);
  if (emit == "syntax" && !diagnostics.has_errors()) {
    return Emit(grammar::PrintDockerfile(syntax));
  }
  std::vector<frontend::BaseUse> uses =
      frontend::FindBases(syntax, input.source, input.frontend, diagnostics);
  ASSIGN_OR_RETURN(frontend::BaseImages bases,
                   ResolveBases(uses, store, diagnostics));
  ir::BuildGraph graph = frontend::LowerDockerfile(
      syntax, input.source, input.frontend, bases, diagnostics);
  if (diagnostics.has_errors()) {
    Report(diagnostics, input);
    return Compiled();
  }
  // From here on the graph is valid: later stages CHECK, they do not diagnose
  // it.
  graph = ir::Optimise(std::move(graph),
                       optimise ? ir::Level::kO1 : ir::Level::kO0);
  if (emit == "graph") {
    return Emit(ir::PrintGraph(graph));
  }
  if (emit == "config") {
    return Emit(absl::StrCat(
        PrintJson(ir::ImageConfigJson(graph.targets[0].config)), "\n"));
  }
  ASSIGN_OR_RETURN(backend::Plan plan,
                   backend::MakePlan(std::move(graph), input.plan, store,
                                     input.source, diagnostics));
  Report(diagnostics, input);
  if (diagnostics.has_errors()) {
    return Compiled();
  }
  if (emit == "plan") {
    return Emit(backend::PrintPlan(plan));
  }
  if (!emit.empty()) {
    return UsageError(absl::StrCat(
        "--emit is syntax, graph, plan or config, not `", emit, "`"));
  }
  Compiled compiled;
  compiled.plan = std::move(plan);
  return compiled;
}

}  // namespace lamina::cli
