#include "cli/plan_formats/markup.h"

#include <array>

#include "base/text.h"
#include "cli/terminal_text.h"

namespace lamina::cli {
namespace {

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// U+FFFE and U+FFFF are no XML characters; U+202A..202E and U+2066..2069 would
// let a text show other words than it has.
constexpr std::array<absl::string_view, 11> kForbidden = {
    "\xef\xbf\xbe", "\xef\xbf\xbf", "\xe2\x80\xaa", "\xe2\x80\xab",
    "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6",
    "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9"};

bool IsForbidden(absl::string_view character) {
  for (absl::string_view forbidden : kForbidden) {
    if (character == forbidden) {
      return true;
    }
  }
  return false;
}

absl::string_view EntityOf(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    case '\t':
      return " ";
    default:
      return "";
  }
}

}  // namespace

std::string EscapeMarkup(absl::string_view raw) {
  const std::string safe = EscapeControls(raw);
  std::string out;
  for (size_t i = 0; i < safe.size(); ++i) {
    const absl::string_view entity = EntityOf(safe[i]);
    if (!entity.empty()) {
      out.append(entity.data(), entity.size());
    } else if (IsForbidden(absl::string_view(safe).substr(i, 3))) {
      out.append(kReplacement.data(), kReplacement.size());
      i += 2;
    } else {
      out += safe[i];
    }
  }
  return out;
}

std::string FitMarkup(absl::string_view raw, size_t columns) {
  // Cut what will be seen, not what was written: \x1b takes four columns.
  return EscapeMarkup(
      CutToWidth(ExpandTabs(EscapeControls(raw), 0), columns, true));
}

}  // namespace lamina::cli
