// Change vectors: the epochs in which something changed, as a number in
// lower-case hex. Bit w is epoch w; no leading zeros, "0" is none.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lamina::ir {

// Each accepts leading zeros and the empty text.
std::string CanonicalVector(absl::string_view changed);
int CountEvents(absl::string_view changed);
bool IsVector(absl::string_view text);  // Hex digits only.

std::string VectorOf(const std::vector<bool>& epochs);
// Epoch w is element w; as many as the digits hold.
std::vector<bool> EpochsOf(absl::string_view changed);

// Epochs in which either changed.
std::string JoinVectors(absl::string_view a, absl::string_view b);

}  // namespace lamina::ir
