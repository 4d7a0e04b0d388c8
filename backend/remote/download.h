// Fetches one file over HTTP: redirects, retries, resuming, limits, checksum
// (registry.md 5, security.md C5).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/remote/transport.h"
#include "base/digest.h"

namespace lamina::backend {

struct DownloadOptions {
  uint64_t max_bytes = uint64_t{16} << 30;
  int max_redirects = 10;
  int64_t most_seconds = 6 * 3600;
  int tries = 5;
  double first_delay = 1;  // Seconds; doubled for each try.
  double most_delay = 30;
  double most_asked = 60;  // Of what a server may ask for with Retry-After.
  // Time is a parameter. `jitter` answers a number from 0 to 1.
  std::function<void(double seconds)> sleep;
  std::function<double()> jitter;
  std::function<int64_t()> now;  // Seconds since the epoch.
};

struct DownloadRequest {
  std::string url;
  // Sent to the origin of `url` alone, never behind a redirect elsewhere.
  std::vector<std::pair<std::string, std::string>> headers;
  // What an earlier download is known by; empty: there was none.
  std::string etag;
  std::string last_modified;
  std::optional<Digest> checksum;
};

struct Downloaded {
  bool not_modified = false;  // Then nothing else is set.
  Digest digest;
  uint64_t size = 0;
  std::string etag;
  std::string last_modified;
};

// Writes the body to the new file `path`. Errors name the URL without its
// secret parts, and say what to do: InvalidArgument (a bad URL or redirect),
// NotFound, PermissionDenied, DataLoss (another checksum), ResourceExhausted
// (too large), Unavailable (after all tries), Cancelled.
absl::StatusOr<Downloaded> Download(const DownloadRequest& request,
                                    const std::string& path,
                                    Transport& transport,
                                    const DownloadOptions& options);

// "Sun, 06 Nov 1994 08:49:37 GMT" and the two older forms of RFC 9110, in
// seconds since the epoch.
std::optional<int64_t> ParseHttpDate(const std::string& text);

}  // namespace lamina::backend
