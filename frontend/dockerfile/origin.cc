#include "frontend/dockerfile/origin.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace lamina::frontend {
namespace {

// "docker.io/library/x:latest" and "x" are one name of a context.
std::string ContextName(absl::string_view name) {
  absl::StatusOr<ir::ImageReference> reference =
      ir::ImageReference::Parse(name);
  if (!reference.ok()) {
    return std::string(name);
  }
  std::string familiar = reference->Familiar();
  return std::string(absl::StripSuffix(familiar, ":latest"));
}

}  // namespace

absl::StatusOr<Platform> HostPlatform(const BuildOptions& options) {
  return ParsePlatform(options.host_platform, {});
}

absl::StatusOr<Platform> TargetPlatform(const BuildOptions& options) {
  ASSIGN_OR_RETURN(Platform host, HostPlatform(options));
  return options.platform.empty() ? host
                                  : ParsePlatform(options.platform, host);
}

std::optional<Origin> FindContext(const BuildOptions& options,
                                  absl::string_view name,
                                  const Platform& platform) {
  if (name.empty() || name == "scratch" || name == "context") {
    return std::nullopt;
  }
  std::optional<Origin> found;
  for (const auto& [key, context] : options.named_contexts) {
    std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(key, absl::MaxSplits(kPlatformMark, 1));
    if (ContextName(parts.first) != ContextName(name)) {
      continue;
    }
    if (parts.second.empty() && found.has_value()) {
      continue;
    }
    if (!parts.second.empty()) {
      absl::StatusOr<Platform> only = ParsePlatform(parts.second, platform);
      if (!only.ok() || *only != platform) {
        continue;
      }
    }
    using Kind = NamedContext::Kind;
    found =
        Origin{.kind = context.kind == Kind::kImage    ? Origin::Kind::kImage
                       : context.kind == Kind::kFolder ? Origin::Kind::kContext
                                                       : Origin::Kind::kScratch,
               .context = key,
               .image = context.image};
  }
  return found;
}

absl::StatusOr<Origin> FindOutside(const BuildOptions& options,
                                   absl::string_view name,
                                   const Platform& platform) {
  Origin origin;
  if (name == "scratch") {
    return origin;
  }
  if (std::optional<Origin> context = FindContext(options, name, platform)) {
    return *std::move(context);
  }
  absl::StatusOr<ir::ImageReference> reference =
      ir::ImageReference::Parse(name);
  if (!reference.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("failed to parse stage name \"", name,
                     "\": ", reference.status().message()));
  }
  origin.kind = Origin::Kind::kImage;
  origin.image = *std::move(reference);
  return origin;
}

}  // namespace lamina::frontend
