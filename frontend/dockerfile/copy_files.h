// What COPY and ADD have in common (dockerfile.md 10).
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "base/json.h"
#include "frontend/dockerfile/stage.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

void CheckCopy(const grammar::Statement& statement, Diagnostics& diagnostics);
void DescribeCopy(const grammar::Statement& statement, Json& object);

// Whether a source is fetched from elsewhere.
bool IsGitSource(absl::string_view source);
bool IsHttpSource(absl::string_view source);

// The step of a COPY or ADD. `accepts` reports a source that the instruction
// does not take and returns false.
void LowerCopy(const grammar::Statement& statement, bool unpack,
               bool (*accepts)(absl::string_view source, SourceRange range,
                               Stage& stage),
               Stage& stage);

}  // namespace lamina::frontend
