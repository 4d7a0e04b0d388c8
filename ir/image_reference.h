// Names of images: [domain/]path[:tag][@digest] (distribution-spec, reference
// grammar; docker's defaults docker.io, library/ and :latest).
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina::ir {

struct ImageReference {
  std::string domain;  // "docker.io" when none was given.
  std::string path;    // "library/debian" for "debian".
  std::string tag;     // "latest" when neither tag nor digest was given.
  std::string digest;  // "sha256:..." or empty.

  // docker.io/library/debian:12
  std::string Full() const;
  // debian:12: what users see.
  std::string Familiar() const;
  // Familiar() without tag and digest.
  std::string FamiliarRepository() const;
  // Errors say which part is wrong and what is allowed there.
  static absl::StatusOr<ImageReference> Parse(absl::string_view text);

  friend auto operator<=>(const ImageReference&,
                          const ImageReference&) = default;
};

}  // namespace lamina::ir
