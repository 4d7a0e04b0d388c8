// URLs as far as fetching needs them (RFC 3986).
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina {

struct Url {
  std::string scheme;    // Lower case.
  std::string user;      // "name:password" as written, without `@`.
  std::string host;      // Lower case; an IPv6 address in brackets.
  int port = 0;          // 0: the scheme's own.
  std::string path;      // Encoded; begins with a slash.
  std::string query;     // Encoded, without `?`.
  std::string fragment;  // As written, without `#`.

  // Takes SCHEME://[USER@]HOST[:PORT][PATH][?QUERY][#FRAGMENT] of any scheme.
  // Blanks and bytes above 0x7E are encoded; other control characters, a bad
  // `%` and a host that is no name are errors.
  static absl::StatusOr<Url> Parse(absl::string_view text);

  // What a redirect to `reference` leads to; no user is taken along.
  absl::StatusOr<Url> Resolve(absl::string_view reference) const;

  // Without fragment.
  std::string ToString() const;
  // For messages: without user, query and fragment, which may be secret.
  std::string Shown() const;
  // "host" or "host:port".
  std::string Authority() const;
  // Scheme, host and port agree.
  bool SameOrigin(const Url& other) const;
  int PortOrDefault() const;
};

// Replaces each %XX; nothing if one is malformed. `plus` also makes blanks of
// `+`, as in queries.
std::optional<std::string> DecodePercent(absl::string_view text,
                                         bool plus = false);

// `text`, a URL or not, with the password of its user replaced by `***`.
std::string HidePassword(absl::string_view text);

}  // namespace lamina
