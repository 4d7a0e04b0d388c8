#include "cli/terminal_text.h"

#include <sys/ioctl.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace lamina::cli {
namespace {

constexpr char kEscape = '\x1b';

// The end of a string sequence (OSC, DCS, ...): after BEL or ESC \.
size_t SkipString(absl::string_view text, size_t i) {
  for (; i < text.size(); ++i) {
    if (text[i] == '\a') {
      return i + 1;
    }
    if (text[i] == kEscape && i + 1 < text.size() && text[i + 1] == '\\') {
      return i + 2;
    }
  }
  return i;
}

// The end of the sequence that begins with the ESC at `i` (ECMA-48).
size_t SkipEscape(absl::string_view text, size_t i) {
  ++i;
  if (i >= text.size()) {
    return i;
  }
  if (absl::StrContains("]PX^_", text[i])) {
    return SkipString(text, i + 1);
  }
  const bool csi = text[i] == '[';
  i += csi ? 1 : 0;
  while (i < text.size() && text[i] >= 0x20 && text[i] < (csi ? 0x40 : 0x30)) {
    ++i;
  }
  return i < text.size() && text[i] != kEscape ? i + 1 : i;
}

// U+0080..U+009F in UTF-8: C1 controls, which some terminals obey.
bool IsC1(absl::string_view text, size_t i) {
  const auto next =
      static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : '\0');
  return text[i] == '\xc2' && next >= 0x80 && next < 0xa0;
}

}  // namespace

std::string VisibleLine(absl::string_view line) {
  std::string kept;
  size_t i = 0;
  while (i < line.size()) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if (line[i] == kEscape) {
      i = SkipEscape(line, i);
    } else if (IsC1(line, i)) {
      i += 2;
    } else {
      if (line[i] == '\r' && i + 1 < line.size()) {
        kept.clear();
      } else if ((byte >= 0x20 && byte != 0x7f) || line[i] == '\t') {
        kept += line[i];
      }
      ++i;
    }
  }
  // What is left to escape are bytes that are no UTF-8.
  return EscapeControls(ExpandTabs(kept, 0));
}

std::string CutToWidth(absl::string_view text, size_t width, bool utf8) {
  if (DisplayWidth(text) <= width) {
    return std::string(text);
  }
  const absl::string_view mark = utf8 ? "…" : "...";
  const size_t room = width - std::min(width, DisplayWidth(mark));
  // No character is narrower than a quarter of its bytes.
  absl::string_view kept = KeepStart(text, room * 4);
  while (!kept.empty() && DisplayWidth(kept) > room) {
    kept = KeepStart(kept, kept.size() - 1);
  }
  return absl::StrCat(kept, mark);
}

TerminalSize AskTerminalSize(int fd) {
  TerminalSize size;
  struct winsize window = {};
  if (ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) {
    size.columns = window.ws_col;
    size.rows = window.ws_row > 0 ? window.ws_row : size.rows;
    return size;
  }
  const char* columns = std::getenv("COLUMNS");
  uint32_t number = 0;
  if (columns != nullptr && absl::SimpleAtoi(columns, &number) && number > 0) {
    size.columns = number;
  }
  return size;
}

bool IsUtf8Locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') {
      return absl::StrContains(absl::AsciiStrToLower(value), "utf-8") ||
             absl::StrContains(absl::AsciiStrToLower(value), "utf8");
    }
  }
  return false;
}

}  // namespace lamina::cli
