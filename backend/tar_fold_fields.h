// What stands in the fields of a tar header (POSIX pax, "ustar Interchange
// Format"; layers-and-archives.md 1.2), read for TarFold alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ir/layout/step_diff.h"

namespace lamina::backend::fold {

inline constexpr uint64_t kBlock = 512;

absl::string_view Field(const char* block, size_t offset, size_t size);
std::string Text(absl::string_view field);  // Up to the first NUL.
// Octal digits, or base 256 where the first bit is set; nothing for anything
// else and for what does not fit.
std::optional<int64_t> Number(absl::string_view field);
bool SumHolds(const char* block);
// Of the name and prefix fields.
std::string HeaderName(const char* block);
std::optional<ir::EntryType> TypeOf(char flag);

// The records of a PAX header; later ones win.
absl::Status ParseRecords(absl::string_view body,
                          std::map<std::string, std::string>& records);
// A PAX time, rounded down; the fraction may have any number of digits.
std::optional<int64_t> Seconds(absl::string_view text);
// True for the xattrs that are part of a layer (layers-and-archives.md 1.3).
bool IsOfTheLayer(absl::string_view xattr);

}  // namespace lamina::backend::fold
