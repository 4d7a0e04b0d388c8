// What the fields of tar headers and PAX records say. Errors are data loss.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backend/tar/tar_header.h"
#include "ir/layout/step_diff.h"

namespace lamina::backend {

inline absl::Status BadTar(absl::string_view what) {
  return absl::DataLossError(what);
}

// A text field, which ends at a NUL byte or with the field.
template <size_t N>
absl::string_view TarText(const char (&field)[N]) {
  return absl::string_view(field, strnlen(field, N));
}

// A number in octal digits, or in base 256 when the first bit is set.
absl::StatusOr<int64_t> ParseTarNumber(absl::string_view field,
                                       absl::string_view name);

template <size_t N>
absl::StatusOr<int64_t> TarNumber(const char (&field)[N],
                                  absl::string_view name) {
  return ParseTarNumber(absl::string_view(field, N), name);
}

absl::StatusOr<uint32_t> ToUint32(int64_t value, absl::string_view name);

bool TarChecksumHolds(const TarHeaderBlock& header);

// Prefix and name.
std::string TarName(const TarHeaderBlock& header);

// Nothing for a type that no layer has.
std::optional<ir::EntryType> TarType(char flag);

// "LEN KEY=VALUE\n"...; an empty value takes a record back.
absl::Status ParsePaxRecords(absl::string_view body,
                             std::map<std::string, std::string>& records);

// Decimal seconds with an optional fraction, floored.
absl::StatusOr<int64_t> ParsePaxTime(absl::string_view text);

}  // namespace lamina::backend
