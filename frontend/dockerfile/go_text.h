// Texts as BuildKit's Go code prints and reads them: they are part of image
// histories.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina::frontend {

// strconv.Quote: "a\n\"b\"".
std::string GoQuote(absl::string_view text);
// %q of a list: ["a" "b"].
std::string GoQuotedList(const std::vector<std::string>& values);
// %v of a list: [a b].
std::string GoList(const std::vector<std::string>& values);

// time.Duration in nanoseconds: 1m30s, 100ms, 0s.
std::string FormatDuration(int64_t nanoseconds);
// time.ParseDuration. Errors: `time: invalid duration "x"` and the like.
absl::StatusOr<int64_t> ParseDuration(absl::string_view text);

}  // namespace lamina::frontend
