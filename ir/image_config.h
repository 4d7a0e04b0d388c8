// The image configuration and its JSON form (OCI image-spec, config.md, with
// Docker's Healthcheck, OnBuild, Shell and ArgsEscaped).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/digest.h"
#include "base/json.h"

namespace lamina::ir {

inline constexpr absl::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Healthcheck {
  std::vector<std::string> test;  // ["NONE"], ["CMD", ...], ["CMD-SHELL", x].
  int64_t interval_ns = 0;        // Zero is unset, here and below.
  int64_t timeout_ns = 0;
  int64_t start_period_ns = 0;
  int64_t start_interval_ns = 0;
  int64_t retries = 0;

  friend bool operator==(const Healthcheck&, const Healthcheck&) = default;
};

struct ImageConfig {
  std::string architecture = "amd64";
  std::string os = "linux";
  std::string variant;
  std::string os_version;
  std::string author;
  std::string user;
  std::vector<std::string> env;  // NAME=value, in order, names unique.
  // Unset and empty differ while a stage is lowered; both print as absent.
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string working_dir = "/";
  std::map<std::string, std::string> labels;
  std::set<std::string> exposed_ports;
  std::set<std::string> volumes;
  std::string stop_signal;
  bool args_escaped = false;
  std::optional<Healthcheck> healthcheck;
  std::vector<std::string> on_build;
  std::vector<std::string> shell;

  // The value of an ENV name, if it has one.
  std::optional<std::string> FindEnv(absl::string_view name) const;
  // A known name keeps its place, a new one is appended.
  void SetEnv(absl::string_view name, absl::string_view value);

  friend bool operator==(const ImageConfig&, const ImageConfig&) = default;
};

struct HistoryEntry {
  std::string created;  // RFC 3339, UTC; empty: set when the image is written.
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;

  friend bool operator==(const HistoryEntry&, const HistoryEntry&) = default;
};

// A whole configuration document.
struct ImageDocument {
  std::string created;  // RFC 3339, UTC.
  ImageConfig config;
  std::vector<HistoryEntry> history;  // Oldest first.
  std::vector<Digest> diff_ids;       // Bottom to top.
};

// Canonical bytes; their digest is the image id. CHECKs that entries without
// empty_layer equal the number of diff ids.
std::string PrintImageDocument(const ImageDocument& document);
Json ImageConfigJson(const ImageConfig& config);  // The "config" member.

// The configuration alone, in the form of a document without "created",
// "history" and "rootfs".
std::string PrintImageConfig(const ImageConfig& config);
absl::StatusOr<ImageConfig> ParseImageConfig(absl::string_view json);

// Reads what docker, buildah, podman and we write; unknown fields are ignored.
// Repairs history that does not match the diff ids (image-config.md 3).
absl::StatusOr<ImageDocument> ParseImageDocument(absl::string_view json);

// `seconds` since the epoch as "2026-01-02T03:04:05Z".
std::string FormatTime(int64_t seconds);
// Seconds since the epoch of an RFC 3339 text; 0 when it is none.
int64_t ParseTime(absl::string_view text);

}  // namespace lamina::ir
