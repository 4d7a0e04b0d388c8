#include "cli/check.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/ignore_input.h"
#include "cli/lower_input.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::cli {
namespace {

size_t CountWarnings(const Diagnostics& diagnostics) {
  size_t count = 0;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    count += diagnostic.severity == Severity::kWarning ? 1 : 0;
  }
  return count;
}

// As docker says it.
std::string Summary(const Diagnostics& diagnostics) {
  size_t warnings = CountWarnings(diagnostics);
  if (diagnostics.has_errors()) {
    return "";
  }
  return warnings == 0 ? "Check complete, no warnings found.\n"
                       : absl::StrCat("Check complete, ", warnings, " warning",
                                      warnings == 1 ? " has" : "s have",
                                      " been found!\n");
}

}  // namespace

absl::StatusOr<int> CheckBuildFile(BuildInput input, backend::Store* store) {
  if (!input.file_mistakes.empty()) {
    RETURN_IF_ERROR(
        PrintResult(RenderFileMistakes(input.file_mistakes, input.render)));
    return 1;
  }
  input.frontend.every_stage = true;
  Diagnostics diagnostics;
  grammar::DockerfileSyntax syntax = grammar::ParseDockerfile(
      input.source, frontend::DockerfileKeywords(), diagnostics);
  RETURN_IF_ERROR(LowerInput(syntax, input, /*may_have_unknown_bases=*/true,
                             store, diagnostics)
                      .status());
  diagnostics.Sort();
  std::string text = Render(diagnostics, input.source, input.render);
  if (input.render.format == ErrorFormat::kHuman) {
    text += Summary(diagnostics);
  }
  RETURN_IF_ERROR(PrintResult(text));
  return diagnostics.has_errors() || CountWarnings(diagnostics) > 0 ? 1 : 0;
}

}  // namespace lamina::cli
