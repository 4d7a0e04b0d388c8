// Colours of the pictures, light and dark.
#pragma once

#include "absl/strings/string_view.h"

namespace lamina::cli {

// Variables for the root element. Blue and orange are told apart with any kind
// of colour blindness (Okabe and Ito); every colour has a mark beside it.
absl::string_view PaletteStyle();
// Rules for what DrawGraph() draws; needs the palette.
absl::string_view GraphStyle();

}  // namespace lamina::cli
