// Text as people see it: widths, cuts, escapes, and the nearest word.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lamina {

// Columns a terminal needs for UTF-8 `text`: 0 for combining marks, 2 for wide
// East Asian characters and emoji, 1 for everything else.
size_t DisplayWidth(absl::string_view text);

// At most `bytes` bytes from one end, never cutting a UTF-8 character.
absl::string_view KeepStart(absl::string_view text, size_t bytes);
absl::string_view KeepEnd(absl::string_view text, size_t bytes);

// Blanks instead of tabs, up to the next multiple of 8 columns; the text is
// taken to begin at column `start`.
std::string ExpandTabs(absl::string_view text, size_t start);

// Control characters but tab become `\x1b` and the like, and bytes that are
// not UTF-8 too, so that untrusted text cannot steer a terminal.
std::string EscapeControls(absl::string_view text);

// The number of single-character edits between the two, where swapping two
// neighbours is one edit (optimal string alignment).
size_t EditDistance(absl::string_view a, absl::string_view b);

// The candidate at edit distance 1 or 2 from `word`, ignoring case; the
// nearest, the first of equals. Nothing when none is near enough.
std::optional<std::string> Closest(absl::string_view word,
                                   const std::vector<std::string>& candidates);

// "1.2 MB": decimal units as docker prints them, three significant digits.
std::string HumanSize(uint64_t bytes);

// "1.2 MiB": binary units with one digit after the point, "34 B" below 1 KiB.
// The planner's words: its constants are powers of two.
std::string BinarySize(uint64_t bytes);

// `text` as a shell word: bare when it is safe, else in single quotes.
std::string ShellQuote(absl::string_view text);

}  // namespace lamina
