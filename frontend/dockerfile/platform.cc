#include "frontend/dockerfile/platform.h"

#include <array>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::frontend {
namespace {

constexpr std::array<absl::string_view, 16> kSystems = {
    "aix",     "android", "darwin", "dragonfly", "freebsd", "hurd",
    "illumos", "ios",     "js",     "linux",     "netbsd",  "openbsd",
    "plan9",   "solaris", "wasip1", "windows"};
constexpr std::array<absl::string_view, 24> kArchitectures = {
    "386",         "amd64", "arm",    "arm64",   "armbe",    "arm64be",
    "loong64",     "mips",  "mipsle", "mips64",  "mips64le", "mips64p32",
    "mips64p32le", "ppc",   "ppc64",  "ppc64le", "riscv",    "riscv64",
    "s390",        "s390x", "sparc",  "sparc64", "wasm",     "ppc64el"};

absl::Status Failure(absl::string_view text, absl::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("failed to parse platform ", text, ": ", reason));
}

std::string NormaliseSystem(absl::string_view os) {
  std::string lower = absl::AsciiStrToLower(os);
  return lower == "macos" ? "darwin" : lower;
}

void NormaliseArchitecture(Platform& platform) {
  std::string& architecture = platform.architecture;
  std::string& variant = platform.variant;
  architecture = absl::AsciiStrToLower(architecture);
  variant = absl::AsciiStrToLower(variant);
  if (architecture == "i386") {
    architecture = "386";
    variant = "";
  } else if (architecture == "x86_64" || architecture == "x86-64" ||
             architecture == "amd64") {
    architecture = "amd64";
    variant = variant == "v1" ? "" : variant;
  } else if (architecture == "aarch64" || architecture == "arm64") {
    architecture = "arm64";
    variant = variant == "8" || variant == "v8" ? "" : variant;
  } else if (architecture == "armhf") {
    architecture = "arm";
    variant = "v7";
  } else if (architecture == "armel") {
    architecture = "arm";
    variant = "v6";
  } else if (architecture == "arm") {
    variant = variant.empty() ? "v7" : variant;
    if (absl::ascii_isdigit(variant[0])) {
      variant = absl::StrCat("v", variant);
    }
  }
}

bool IsComponent(absl::string_view text) {
  return !text.empty() && absl::c_all_of(text, [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("_-.", {&c, 1});
  });
}

// Splits "os(version+feature)"; false when the brackets do not match.
bool ReadSystem(absl::string_view text, Platform& platform) {
  size_t open = text.find('(');
  if (open != absl::string_view::npos) {
    if (text.back() != ')') {
      return false;
    }
    absl::string_view options = text.substr(open + 1, text.size() - open - 2);
    platform.os_version = std::string(options.substr(0, options.find('+')));
    text = text.substr(0, open);
  }
  platform.os = NormaliseSystem(text);
  return IsComponent(platform.os);
}

}  // namespace

void NormalisePlatform(Platform& platform) {
  platform.os = NormaliseSystem(platform.os);
  NormaliseArchitecture(platform);
}

std::string Platform::Text() const {
  return variant.empty() ? absl::StrCat(os, "/", architecture)
                         : absl::StrCat(os, "/", architecture, "/", variant);
}

absl::StatusOr<Platform> ParsePlatform(absl::string_view text,
                                       const Platform& host) {
  if (absl::StrContains(text, "*")) {
    return Failure(text, "wildcards are not allowed; write one platform");
  }
  std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  if (parts.size() > 3) {
    return Failure(text, "it has more than three parts; write os/arch/variant");
  }
  Platform platform;
  if (parts.size() == 1) {
    if (ReadSystem(text, platform) &&
        absl::c_linear_search(kSystems, platform.os)) {
      platform.architecture = host.architecture;
      platform.variant = host.variant;
      return platform;
    }
    platform = {.os = host.os, .architecture = std::string(text)};
    NormaliseArchitecture(platform);
    if (!absl::c_linear_search(kArchitectures, platform.architecture)) {
      std::vector<std::string> known(kSystems.begin(), kSystems.end());
      for (absl::string_view architecture : kArchitectures) {
        known.emplace_back(architecture);
      }
      std::optional<std::string> near = Closest(text, known);
      return Failure(
          text, absl::StrCat("unknown operating system or architecture; ",
                             near.has_value()
                                 ? absl::StrCat("did you mean `", *near, "`?")
                                 : "write one such as linux/amd64"));
    }
    return platform;
  }
  if (!ReadSystem(parts[0], platform) || !IsComponent(parts[1]) ||
      (parts.size() == 3 && !IsComponent(parts[2]))) {
    return Failure(
        text,
        "parts are letters, digits, `_`, `-` and `.`; write one such "
        "as linux/amd64");
  }
  platform.architecture = std::string(parts[1]);
  platform.variant = parts.size() == 3 ? std::string(parts[2]) : "";
  NormaliseArchitecture(platform);
  return platform;
}

std::optional<PlatformWord> UnknownPlatformWord(const Platform& platform) {
  auto look_up = [](const std::string& word,
                    const auto& known) -> std::optional<PlatformWord> {
    if (absl::c_linear_search(known, word)) {
      return std::nullopt;
    }
    std::optional<std::string> near =
        Closest(word, std::vector<std::string>(known.begin(), known.end()));
    return near.has_value() ? std::optional(PlatformWord{word, *near})
                            : std::nullopt;
  };
  std::optional<PlatformWord> os = look_up(platform.os, kSystems);
  return os.has_value() ? os : look_up(platform.architecture, kArchitectures);
}

void SetPlatformArguments(const Platform& target, const Platform& host,
                          Variables& globals) {
  auto set = [&](absl::string_view prefix, const Platform& platform) {
    globals.Set(absl::StrCat(prefix, "PLATFORM"), platform.Text());
    globals.Set(absl::StrCat(prefix, "OS"), platform.os);
    globals.Set(absl::StrCat(prefix, "OSVERSION"), platform.os_version);
    globals.Set(absl::StrCat(prefix, "ARCH"), platform.architecture);
    globals.Set(absl::StrCat(prefix, "VARIANT"), platform.variant);
  };
  set("BUILD", host);
  set("TARGET", target);
}

}  // namespace lamina::frontend
