#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lamina {
namespace {

struct Character {
  uint32_t code_point = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The UTF-8 character at the start of `text`, which is not empty.
Character Decode(absl::string_view text) {
  auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  uint32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1, true};
  }
  size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead > 0xF4 || text.size() < length) {
    return {0xFFFD, 1, false};
  }
  uint32_t value = lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return {0xFFFD, 1, false};
    }
    value = (value << 6) | (byte(i) & 0x3F);
  }
  // RFC 3629: no longer form than needed, no surrogates, no end of the world.
  const bool overlong =
      (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (overlong || (value >= 0xD800 && value < 0xE000) || value > 0x10FFFF) {
    return {0xFFFD, 1, false};
  }
  return {value, length, true};
}

size_t Width(uint32_t c) {
  struct Range {
    uint32_t first, last;
  };
  static constexpr Range kZero[] = {
      {0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};
  static constexpr Range kWide[] = {
      {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},
      {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
      {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE4F},
      {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
      {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
  auto contains = [c](const Range& range) {
    return c >= range.first && c <= range.last;
  };
  if (std::any_of(std::begin(kZero), std::end(kZero), contains)) {
    return 0;
  }
  return std::any_of(std::begin(kWide), std::end(kWide), contains) ? 2 : 1;
}

bool IsContinuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

}  // namespace

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    Character character = Decode(text);
    width += Width(character.code_point);
    text.remove_prefix(character.bytes);
  }
  return width;
}

absl::string_view KeepStart(absl::string_view text, size_t bytes) {
  if (text.size() <= bytes) {
    return text;
  }
  while (bytes > 0 && IsContinuation(text[bytes])) {
    --bytes;
  }
  return text.substr(0, bytes);
}

absl::string_view KeepEnd(absl::string_view text, size_t bytes) {
  if (text.size() <= bytes) {
    return text;
  }
  size_t begin = text.size() - bytes;
  while (begin < text.size() && IsContinuation(text[begin])) {
    ++begin;
  }
  return text.substr(begin);
}

std::string ExpandTabs(absl::string_view text, size_t start) {
  std::string out;
  for (char c : text) {
    if (c == '\t') {
      size_t column = start + DisplayWidth(out);
      out.append(8 - column % 8, ' ');
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string EscapeControls(absl::string_view text) {
  std::string out;
  while (!text.empty()) {
    Character character = Decode(text);
    bool control =
        !character.valid ||
        (character.code_point < 0x20 && character.code_point != '\t') ||
        (character.code_point >= 0x7F && character.code_point < 0xA0);
    if (control) {
      for (size_t i = 0; i < character.bytes; ++i) {
        absl::StrAppendFormat(&out, "\\x%02x",
                              static_cast<unsigned char>(text[i]));
      }
    } else {
      absl::StrAppend(&out, text.substr(0, character.bytes));
    }
    text.remove_prefix(character.bytes);
  }
  return out;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  // The rows of the table for the last two prefixes of `a`, and the next one.
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::optional<std::string> Closest(absl::string_view word,
                                   const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  size_t best_distance = 3;
  std::string lower = absl::AsciiStrToLower(word);
  for (const std::string& candidate : candidates) {
    size_t distance = EditDistance(lower, absl::AsciiStrToLower(candidate));
    // A short word would be near to everything.
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string HumanSize(uint64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits = {"B",  "kB", "MB",
                                                        "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  if (unit == 0) {
    return absl::StrCat(bytes, "B");
  }
  return absl::StrFormat("%.3g%s", value, kUnits[unit]);
}

std::string BinarySize(uint64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits = {"B",   "KiB", "MiB",
                                                        "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  // 1023.95 would be printed as 1024.0.
  while (value >= (unit == 0 ? 1024 : 1023.95) && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) {
    return absl::StrCat(bytes, " B");
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string ShellQuote(absl::string_view text) {
  bool safe =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
               absl::string_view("_-./:=@%+,").find(c) !=
                   absl::string_view::npos;
      });
  if (safe) {
    return std::string(text);
  }
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out.push_back(c);
    }
  }
  return out + "'";
}

}  // namespace lamina
