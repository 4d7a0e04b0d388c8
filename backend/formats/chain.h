// Names of stacks of layers (OCI image-spec, config.md: layer chain id).
#pragma once

#include "absl/strings/str_cat.h"
#include "base/digest.h"

namespace lamina::backend {

// The chain id of `diff_id` on top of `below`; `below` is empty under the
// bottom layer.
inline Digest ChainId(const Digest& below, const Digest& diff_id) {
  return below.empty()
             ? diff_id
             : Sha256(absl::StrCat(below.ToString(), " ", diff_id.ToString()));
}

}  // namespace lamina::backend
