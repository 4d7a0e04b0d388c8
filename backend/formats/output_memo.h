// What the store wrote outside itself, so that an output that already holds
// the right bytes is not written again.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/digest.h"

namespace lamina::backend {

// True when the regular file `dest` is the one that was last remembered for
// this path, untouched since, and was made from `recipe`. Any doubt is false.
bool IsRemembered(const std::string& store_root, const std::string& dest,
                  const Digest& recipe);

// Remembers that `dest` as it stands was made from `recipe`; the latest 256
// outputs are kept, in ROOT/outputs.
absl::Status RememberOutput(const std::string& store_root,
                            const std::string& dest, const Digest& recipe);

}  // namespace lamina::backend
