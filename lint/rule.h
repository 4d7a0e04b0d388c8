// What a rule of lint is, what it looks at and what it says. The rules are the
// build checks of BuildKit (dockerfile.md 14), one file each in rules/.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "base/source.h"
#include "frontend/dockerfile/evaluation.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"
#include "ir/patterns.h"

namespace lamina::lint {

// What rules look at. It was read and evaluated before.
struct Subject {
  const SourceFile& source;
  const grammar::DockerfileSyntax& syntax;  // All of the file.
  // The stages of the build: the ones its target reaches, or every stage.
  const frontend::Evaluation& evaluation;
  const frontend::BuildOptions& options;
  const ir::IgnoreMatcher& ignores;  // Of the build context.
};

// Where a rule is broken. The detail has the words of BuildKit, which people
// search for; the advice says what to write instead.
struct Finding {
  const grammar::Statement* statement = nullptr;  // Its comments may skip it.
  SourceRange range;  // The narrowest that is wrong.
  std::string detail;
  std::string advice;
  std::vector<Note> notes;
  std::optional<Fix> fix;
};

struct Rule {
  absl::string_view name;
  bool experimental = false;  // Off unless `experimental=` names it.
  std::vector<Finding> (*run)(const Subject&) = nullptr;
};

#define LINT_RULE(name) extern const Rule name;
#include "lint/rules.def"
#undef LINT_RULE

// In the order of rules.def.
std::vector<const Rule*> AllRules();

// A statement of a stage that is built, and its stage.
struct Place {
  const frontend::EvaluatedStage* stage;
  const frontend::EvaluatedStatement* evaluated;

  const grammar::Statement& statement() const { return *evaluated->statement; }
};
// In the order of the file; triggers of a base stand before its stage.
std::vector<Place> FindPlaces(
    const Subject& subject, std::initializer_list<absl::string_view> keywords);

// Every FROM of the file, wrong ones too.
std::vector<const grammar::Statement*> FindFroms(const Subject& subject);

// Every stage, reached or not. Empty where the stages have no outline.
std::vector<const frontend::StageOutline*> FindStages(const Subject& subject);

// The declarations before the first FROM.
std::vector<const grammar::Statement*> FindGlobals(const Subject& subject);

// The name of the stage in lower case; empty without AS.
std::string StageName(const grammar::Statement& from);

bool IsUpper(absl::string_view word);
bool IsLower(absl::string_view word);

// " (did you mean x?)", or nothing.
std::string Hint(const std::optional<std::string>& near,
                 absl::string_view before = "");

// "write `x`", with the edit that does it.
Fix Replace(SourceRange range, const std::string& text);

}  // namespace lamina::lint
