// Untrusted text on a terminal.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lamina::cli {

// One line of a program's output as it may be shown: escape sequences (CSI,
// OSC, DCS, ...) and control characters are dropped, what stands before a
// carriage return is overwritten, tabs become blanks.
std::string VisibleLine(absl::string_view line);

// At most `width` columns; what is cut ends with `…` or "...".
std::string CutToWidth(absl::string_view text, size_t width, bool utf8);

struct TerminalSize {
  size_t columns = 80;
  size_t rows = 24;
};
// Of the terminal at `fd`; COLUMNS and then 80x24 when it does not say.
TerminalSize AskTerminalSize(int fd);

// True if the locale's encoding is UTF-8.
bool IsUtf8Locale();

}  // namespace lamina::cli
