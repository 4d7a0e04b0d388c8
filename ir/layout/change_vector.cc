#include "ir/layout/change_vector.h"

#include <algorithm>
#include <bit>

namespace lamina::ir {
namespace {

constexpr absl::string_view kHex = "0123456789abcdef";

unsigned DigitOf(char c) {
  return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
}

}  // namespace

std::string CanonicalVector(absl::string_view changed) {
  size_t first = changed.find_first_not_of('0');
  return first == absl::string_view::npos ? "0"
                                          : std::string(changed.substr(first));
}

int CountEvents(absl::string_view changed) {
  int events = 0;
  for (char c : changed) {
    events += std::popcount(DigitOf(c));
  }
  return events;
}

bool IsVector(absl::string_view text) {
  return !text.empty() &&
         text.find_first_not_of(kHex) == absl::string_view::npos;
}

std::string VectorOf(const std::vector<bool>& epochs) {
  std::string digits((epochs.size() + 3) / 4, '0');
  for (size_t at = 0; at < digits.size(); ++at) {
    unsigned value = 0;
    for (size_t bit = 0; bit < 4 && 4 * at + bit < epochs.size(); ++bit) {
      value |= epochs[4 * at + bit] ? 1U << bit : 0U;
    }
    digits[digits.size() - 1 - at] = kHex[value];
  }
  return CanonicalVector(digits);
}

std::vector<bool> EpochsOf(absl::string_view changed) {
  std::vector<bool> epochs;
  epochs.reserve(changed.size() * 4);
  for (size_t at = changed.size(); at-- > 0;) {
    for (unsigned bit = 0; bit < 4; ++bit) {
      epochs.push_back((DigitOf(changed[at]) >> bit & 1) != 0);
    }
  }
  return epochs;
}

std::string JoinVectors(absl::string_view a, absl::string_view b) {
  std::string joined(std::max(a.size(), b.size()), '0');
  for (size_t at = 0; at < joined.size(); ++at) {
    unsigned value = at < a.size() ? DigitOf(a[a.size() - 1 - at]) : 0;
    value |= at < b.size() ? DigitOf(b[b.size() - 1 - at]) : 0;
    joined[joined.size() - 1 - at] = kHex[value];
  }
  return CanonicalVector(joined);
}

}  // namespace lamina::ir
