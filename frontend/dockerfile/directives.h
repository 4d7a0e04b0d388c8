// Parser directives beyond their form (dockerfile.md 2 and 14).
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

// A directive, or the build argument that replaces it, which has no place.
struct Setting {
  absl::string_view text;  // Of the syntax or the options.
  std::optional<SourceRange> range;

  // A part of `text`.
  std::optional<SourceRange> Place(absl::string_view part) const;
};

// Nothing when there is neither.
std::optional<Setting> FindSetting(
    const std::optional<grammar::Word>& directive, const char* argument,
    const BuildOptions& options);

// Warns about a `syntax` that names a front end other than this one.
void CheckSyntaxDirective(const grammar::DockerfileSyntax& syntax,
                          const BuildOptions& options,
                          Diagnostics& diagnostics);

}  // namespace lamina::frontend
