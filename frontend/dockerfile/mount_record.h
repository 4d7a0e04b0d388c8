// The value of a --mount as a record of fields (RFC 4180).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "base/source.h"

namespace lamina::frontend {

// A field of a record: `key` or `key=value`, without quotes.
struct MountField {
  std::string text;
  SourceRange place;  // In the record, quotes included.

  bool has_value() const { return text.find('=') != std::string::npos; }
  std::string key() const {
    return absl::AsciiStrToLower(text.substr(0, text.find('=')));
  }
  std::string value() const { return text.substr(text.find('=') + 1); }
  // The whole field when it was quoted.
  SourceRange KeyPlace() const {
    return IsPlain() ? SourceRange{place.begin, place.begin + KeySize()}
                     : place;
  }
  SourceRange ValuePlace() const {
    return IsPlain() && has_value()
               ? SourceRange{place.begin + KeySize() + 1, place.end}
               : place;
  }

 private:
  bool IsPlain() const { return place.end - place.begin == text.size(); }
  uint32_t KeySize() const {
    return static_cast<uint32_t>(std::min(text.find('='), text.size()));
  }
};

// Errors: `failed to parse csv mounts` with the reason.
absl::StatusOr<std::vector<MountField>> SplitMountRecord(
    absl::string_view text);

}  // namespace lamina::frontend
