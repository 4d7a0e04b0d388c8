// Runs the rules on a build file.
#pragma once

#include "base/diagnostic.h"
#include "lint/rule.h"

namespace lamina::lint {

// Adds a warning for each finding of the rules that the file has not switched
// off, its code the rule's name, and an error of code `lint-violation` when
// there is one and the file says `# check=error=true`. Mistakes in that
// directive are reported too.
void RunRules(const Subject& subject, Diagnostics& diagnostics);

}  // namespace lamina::lint
