#include "cli/lower_input.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/find_bases.h"
#include "frontend/dockerfile/evaluation.h"
#include "lint/lint.h"

namespace lamina::cli {
namespace {

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

}  // namespace

absl::StatusOr<LoweredInput> LowerInput(const grammar::DockerfileSyntax& syntax,
                                        const BuildInput& input,
                                        bool may_have_unknown_bases,
                                        backend::Store* store,
                                        Diagnostics& diagnostics) {
  WarnUnknownStages(syntax, input.plan.no_cache_stages, diagnostics);
  LoweredInput lowered = {.options = input.frontend};
  frontend::BuildOptions& options = lowered.options;
  lowered.epoch = frontend::FindEpoch(syntax, options, diagnostics);
  // Stages that declare it see the number, whatever it was made of.
  options.build_args.erase("SOURCE_DATE_EPOCH");
  if (lowered.epoch.has_value()) {
    options.build_args["SOURCE_DATE_EPOCH"] = absl::StrCat(*lowered.epoch);
  }
  ASSIGN_OR_RETURN(lowered.bases,
                   FindBaseImages(syntax, input, options,
                                  may_have_unknown_bases, store, diagnostics));
  frontend::Evaluation evaluation;
  lowered.graph =
      frontend::LowerDockerfile(syntax, input.source, options, lowered.bases,
                                diagnostics, &evaluation);
  lint::RunRules({.source = input.source,
                  .syntax = syntax,
                  .evaluation = evaluation,
                  .options = options,
                  .ignores = input.plan.contexts.at("").ignore},
                 diagnostics);
  return lowered;
}

}  // namespace lamina::cli
