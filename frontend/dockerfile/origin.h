// Where the trees come from that stages begin with, copy and mount
// (dockerfile.md 8 and 13.3).
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontend/dockerfile/platform.h"
#include "frontend/lower.h"
#include "ir/image_reference.h"

namespace lamina::frontend {

// Where a tree comes from that a stage begins with, copies or mounts.
struct Origin {
  enum class Kind { kScratch, kStage, kContext, kImage };
  Kind kind = Kind::kScratch;
  size_t stage = 0;     // Position in Outline::stages.
  std::string context;  // Name of a named context.
  ir::ImageReference image;
};

// Platforms as the command line gives them.
absl::StatusOr<Platform> HostPlatform(const BuildOptions& options);
absl::StatusOr<Platform> TargetPlatform(const BuildOptions& options);

// Between the name of a context and the platform it is for: `NAME::OS/ARCH`.
inline constexpr absl::string_view kPlatformMark = "::";

// The context `name` for `platform`; "scratch" and "context" are never
// replaced. One for this platform wins over one for all.
std::optional<Origin> FindContext(const BuildOptions& options,
                                  absl::string_view name,
                                  const Platform& platform);

// A name that is no stage: nothing, a context or an image. Errors: `failed to
// parse stage name "X"`.
absl::StatusOr<Origin> FindOutside(const BuildOptions& options,
                                   absl::string_view name,
                                   const Platform& platform);

}  // namespace lamina::frontend
