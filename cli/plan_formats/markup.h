// Text of the build file in SVG and HTML.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lamina::cli {

// Raw text as the content of an element or the value of a quoted attribute, in
// XML and in HTML alike. Control characters are shown as \x1b; what XML forbids
// and what turns the direction of writing becomes U+FFFD.
std::string EscapeMarkup(absl::string_view raw);

// The same of at most `columns` columns of `raw`; what is cut ends with `…`.
std::string FitMarkup(absl::string_view raw, size_t columns);

}  // namespace lamina::cli
