// Platform strings: "os/arch[/variant]" (dockerfile.md 7.4).
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontend/dockerfile/expand.h"

namespace lamina::frontend {

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  std::string os_version;

  std::string Text() const;  // linux/arm/v7
  friend bool operator==(const Platform&, const Platform&) = default;
};

// Reads and normalises; what one word leaves out is taken from `host`. Errors:
// `failed to parse platform X` with the reason.
absl::StatusOr<Platform> ParsePlatform(absl::string_view text,
                                       const Platform& host);

// One spelling for each platform: arm64 without its v8, arm with a variant.
void NormalisePlatform(Platform& platform);

// TARGETPLATFORM and its likes, BUILD... for the host (dockerfile.md 7.3).
void SetPlatformArguments(const Platform& target, const Platform& host,
                          Variables& globals);

// The nearest known word, when `platform` has an operating system or an
// architecture that nobody knows.
struct PlatformWord {
  std::string wrong;
  std::string near;
};
std::optional<PlatformWord> UnknownPlatformWord(const Platform& platform);

}  // namespace lamina::frontend
