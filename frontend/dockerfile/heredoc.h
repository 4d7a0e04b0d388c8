// Heredoc words and bodies (dockerfile.md 5).
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace lamina::frontend {

// The delimiter of a text that is one heredoc word, `<<-"EOF"`, without its
// quotes; nothing if the text is anything else.
std::optional<std::string> HeredocName(absl::string_view text);

// `<<-`: the body without the leading tabs of its lines.
std::string StripTabs(absl::string_view body);

}  // namespace lamina::frontend
