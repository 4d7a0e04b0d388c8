// Parser directives beyond their form (dockerfile.md 2 and 14).
#pragma once

#include "base/diagnostic.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

// Reports a `check` that cannot be read, names of checks that do not exist, and
// a `syntax` that names a front end other than this one. Build arguments
// replace both directives.
void CheckDirectives(const grammar::DockerfileSyntax& syntax,
                     const BuildOptions& options, Diagnostics& diagnostics);

}  // namespace lamina::frontend
