#include "frontend/dockerfile/heredoc.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace lamina::frontend {

std::optional<std::string> HeredocName(absl::string_view text) {
  while (!text.empty() && absl::ascii_isdigit(text[0])) {
    text.remove_prefix(1);
  }
  if (!absl::ConsumePrefix(&text, "<<")) {
    return std::nullopt;
  }
  absl::ConsumePrefix(&text, "-");
  text = absl::StripAsciiWhitespace(text);
  std::string name;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '<') {
      return std::nullopt;
    }
    if (quote != 0 ? c == quote : c == '\'' || c == '"') {
      quote = quote != 0 ? 0 : c;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      name += text[++i];
    } else if (quote == 0 && absl::ascii_isspace(c)) {
      return std::nullopt;
    } else {
      name += c;
    }
  }
  return quote != 0 || name.empty() ? std::nullopt : std::optional(name);
}

std::string StripTabs(absl::string_view body) {
  std::string stripped;
  bool line_start = true;
  for (char c : body) {
    if (c != '\t' || !line_start) {
      stripped += c;
      line_start = c == '\n';
    }
  }
  return stripped;
}

}  // namespace lamina::frontend
