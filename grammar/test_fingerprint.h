// For tests that read what the printer wrote.
#pragma once

#include <string>

#include "grammar/dockerfile_syntax.h"

namespace lamina::grammar {

// Everything that a statement says but ranges and lines.
std::string Fingerprint(const Statement& statement);

}  // namespace lamina::grammar
