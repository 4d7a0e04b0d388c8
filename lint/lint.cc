#include "lint/lint.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lint/settings.h"

namespace lamina::lint {
namespace {

Diagnostic Warning(const Rule& rule, Finding finding) {
  return {.severity = Severity::kWarning,
          .code = std::string(rule.name),
          .range = finding.range,
          .message = absl::StrCat(finding.detail, "; ", finding.advice),
          .notes = std::move(finding.notes),
          .fix = std::move(finding.fix)};
}

}  // namespace

void RunRules(const Subject& subject, Diagnostics& diagnostics) {
  Settings settings =
      ReadSettings(subject.syntax, subject.options, diagnostics);
  std::set<std::string> broken;
  std::optional<SourceRange> first;
  for (const Rule* rule : AllRules()) {
    if (!settings.Runs(*rule)) {
      continue;
    }
    for (Finding& finding : rule->run(subject)) {
      if (SkippedByComment(*finding.statement, *rule)) {
        continue;
      }
      broken.emplace(rule->name);
      if (!first.has_value() || finding.range.begin < first->begin) {
        first = finding.range;
      }
      diagnostics.Add(Warning(*rule, std::move(finding)));
    }
  }
  if (settings.error && first.has_value()) {
    diagnostics.Error(
        "lint-violation", *first,
        absl::StrCat(
            "lint violation found for rules: ", absl::StrJoin(broken, ", "),
            "; `check=error=true` makes the build fail for it"));
  }
}

}  // namespace lamina::lint
