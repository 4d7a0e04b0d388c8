// Runs the word grammar where the front end is not concerned: the shell words
// of a line that may hold heredocs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/source.h"

namespace lamina::grammar {

// The shell words of `line` as byte ranges in it; quotes protect blanks, the
// escape character is a backslash, and blanks right after `<<` belong to the
// word. Nothing when the line cannot be split: an open quote, or a form of
// `${...}` that the builder does not know.
std::optional<std::vector<SourceRange>> SplitShellWords(absl::string_view line);

struct Delimiter {
  std::string name;     // Quotes and escapes removed, `$x` left alone.
  bool quoted = false;  // Some part stood in quotes.
};

// Nothing when `written` is not one shell word.
std::optional<Delimiter> ReadDelimiter(absl::string_view written);

}  // namespace lamina::grammar
