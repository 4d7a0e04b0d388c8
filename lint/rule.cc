#include "lint/rule.h"

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace lamina::lint {

using grammar::Statement;

std::vector<const Rule*> AllRules() {
  return {
#define LINT_RULE(name) &name,
#include "lint/rules.def"
#undef LINT_RULE
  };
}

std::vector<Place> FindPlaces(
    const Subject& subject, std::initializer_list<absl::string_view> keywords) {
  std::vector<Place> places;
  for (const frontend::EvaluatedStage& stage : subject.evaluation.stages) {
    for (const frontend::EvaluatedStatement& evaluated : stage.statements) {
      if (absl::c_linear_search(keywords, evaluated.statement->keyword)) {
        places.push_back({&stage, &evaluated});
      }
    }
  }
  return places;
}

std::vector<const Statement*> FindFroms(const Subject& subject) {
  std::vector<const Statement*> froms;
  for (const Statement& statement : subject.syntax.statements) {
    if (statement.keyword == "FROM") {
      froms.push_back(&statement);
    }
  }
  return froms;
}

std::vector<const frontend::StageOutline*> FindStages(const Subject& subject) {
  std::vector<const frontend::StageOutline*> stages;
  if (subject.evaluation.outline.has_value()) {
    for (const frontend::StageOutline& stage :
         subject.evaluation.outline->stages) {
      stages.push_back(&stage);
    }
  }
  return stages;
}

std::vector<const Statement*> FindGlobals(const Subject& subject) {
  std::vector<const Statement*> globals;
  for (const Statement& statement : subject.syntax.statements) {
    if (statement.keyword == "FROM") {
      break;
    }
    if (statement.keyword == "ARG") {
      globals.push_back(&statement);
    }
  }
  return globals;
}

std::string StageName(const Statement& from) {
  return from.words.size() == 3 ? absl::AsciiStrToLower(from.words[2].text)
                                : "";
}

bool IsUpper(absl::string_view word) {
  return absl::AsciiStrToUpper(word) == word;
}

bool IsLower(absl::string_view word) {
  return absl::AsciiStrToLower(word) == word;
}

std::string Hint(const std::optional<std::string>& near,
                 absl::string_view before) {
  return near.has_value() ? absl::StrCat(" (did you mean ", before, *near, "?)")
                          : "";
}

Fix Replace(SourceRange range, const std::string& text) {
  return {absl::StrCat("write `", text, "`"), {{range, text}}};
}

}  // namespace lamina::lint
