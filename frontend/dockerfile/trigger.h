// ONBUILD: texts that a later build parses (dockerfile.md 12).
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

// What config.OnBuild keeps of an ONBUILD statement: heredoc bodies and their
// terminators follow on own lines.
std::string TriggerText(const grammar::Statement& onbuild);

// Reads a trigger as the child stage does. All ranges, also of what is
// reported, are `from`: the text is in no file of this build.
std::optional<grammar::Statement> ParseTrigger(absl::string_view text,
                                               SourceRange from,
                                               Diagnostics& diagnostics);

}  // namespace lamina::frontend
