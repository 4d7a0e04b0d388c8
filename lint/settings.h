// Which rules a build file switches on and off (dockerfile.md 14): the
// directive
// `# check=`, the build argument that replaces it, and comments.
#pragma once

#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"
#include "lint/rule.h"

namespace lamina::lint {

struct RuleNames {
  bool all = false;
  std::set<std::string> names;

  bool Has(absl::string_view name) const {
    return all || names.count(std::string(name)) > 0;
  }
};

struct Settings {
  RuleNames skip;
  RuleNames experimental;
  bool error = false;  // A finding stops the build.

  bool Runs(const Rule& rule) const;
};

// Reports what cannot be read, and names that no rule has.
Settings ReadSettings(const grammar::DockerfileSyntax& syntax,
                      const frontend::BuildOptions& options,
                      Diagnostics& diagnostics);

// Whether a comment above the statement says `# check=skip=NAME`. What cannot
// be read there says nothing.
bool SkippedByComment(const grammar::Statement& statement, const Rule& rule);

}  // namespace lamina::lint
