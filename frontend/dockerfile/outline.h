// The stages of a Dockerfile and what they refer to, before any of them is
// evaluated (dockerfile.md 8).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/origin.h"
#include "frontend/dockerfile/platform.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

// `--from=X` of a COPY, or `from=X` of a mount.
struct OriginName {
  std::string name;
  bool may_be_index = false;  // COPY only: a number is a stage's position.
  SourceRange range;
};

// A word of a FROM, its variables filled in.
struct FromWord {
  std::string written;
  SourceRange range;
  std::string value;
  UsedNames names;
};

struct StageOutline {
  const grammar::Statement* from = nullptr;
  std::string name;   // Lower case; empty without AS.
  std::string label;  // The name, or the number from 0.
  // Nothing where there is none, or it cannot be expanded, which is reported.
  std::optional<FromWord> base_word;
  std::optional<FromWord> platform_word;
  Origin base;
  std::optional<Platform> platform;  // --platform
  // ONBUILD of the base: run before the body, ranges point at the FROM.
  std::vector<grammar::Statement> triggers;
  std::vector<const grammar::Statement*> body;
  std::vector<size_t> needs;  // Positions of other stages.
  bool reached = false;       // By the target.
  bool replaced = false;      // By a named context: no instruction counts.

  SourceRange BaseWord() const {
    return from->words.empty() ? from->keyword_word.range
                               : from->words[0].range;
  }
  // Where the name stands, or the base of a stage without one.
  SourceRange Name() const {
    const std::vector<grammar::Word>& words = from->words;
    return words.empty() ? from->keyword_word.range
                         : words[name.empty() ? 0 : 2].range;
  }
};

struct Outline {
  Platform host;
  Platform target_platform;
  char escape = '\\';
  Variables globals;  // Global ARGs and platform arguments.
  std::vector<StageOutline> stages;
  size_t target = 0;
};

// Finds the stages. Nothing if there is no answer: no stage at all, an unknown
// target, or a cycle; this and every unusable FROM is reported. `syntax` must
// outlive the result.
std::optional<Outline> MakeOutline(const grammar::DockerfileSyntax& syntax,
                                   const BuildOptions& options,
                                   const BaseImages& bases,
                                   Diagnostics& diagnostics);

// What a statement copies and mounts from, in the order written.
std::vector<OriginName> OriginNames(const grammar::Statement& statement);

// Errors: `invalid stage index N`, `failed to parse stage name "X"`.
absl::StatusOr<Origin> FindOrigin(const std::vector<StageOutline>& stages,
                                  const BuildOptions& options,
                                  const OriginName& use);

}  // namespace lamina::frontend
