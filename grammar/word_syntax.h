// The parts of a word that is expanded: $VAR, ${VAR:-x}, quotes, escapes
// (dockerfile.md 6). Structure only; values come from the front end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina::grammar {

struct WordPart {
  enum class Kind { kLiteral, kVariable };
  Kind kind = Kind::kLiteral;
  std::string text;                // Literal bytes, or the variable's name.
  bool quoted = false;             // Stood inside quotes.
  std::string modifier;            // "", "-", ":-", "+", ":+", "?", ":?", "#",
                                   // "##", "%", "%%", "/", "//".
  std::vector<WordPart> argument;  // After the modifier; the pattern.
  std::vector<WordPart> replacement;  // Of "/" and "//".
};

struct WordOptions {
  char escape = '\\';
  // COPY heredoc bodies: quotes are ordinary characters.
  bool quotes = true;
};

// Errors have BuildKit's texts: "syntax error: missing '}'" and the like.
absl::StatusOr<std::vector<WordPart>> ParseWord(absl::string_view word,
                                                const WordOptions& options);

}  // namespace lamina::grammar
