#include "frontend/dockerfile/go_text.h"

#include <array>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "frontend/dockerfile/pattern.h"

namespace lamina::frontend {
namespace {

constexpr int64_t kMicrosecond = 1000;
constexpr int64_t kMillisecond = 1000 * kMicrosecond;
constexpr int64_t kSecond = 1000 * kMillisecond;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;

uint32_t CodePoint(absl::string_view character) {
  unsigned char lead = character[0];
  uint32_t code = character.size() == 1   ? lead
                  : character.size() == 2 ? lead & 0x1F
                  : character.size() == 3 ? lead & 0x0F
                                          : lead & 0x07;
  for (char c : character.substr(1)) {
    code = code << 6 | (static_cast<unsigned char>(c) & 0x3F);
  }
  return code;
}

// The control, format, space and private characters that unicode.IsPrint
// refuses.
bool IsPrintable(uint32_t code) {
  struct Range {
    uint32_t first;
    uint32_t last;
  };
  static constexpr std::array<Range, 17> kRefused = {{{0, 0x1F},
                                                      {0x7F, 0xA0},
                                                      {0xAD, 0xAD},
                                                      {0x600, 0x605},
                                                      {0x61C, 0x61C},
                                                      {0x6DD, 0x6DD},
                                                      {0x1680, 0x1680},
                                                      {0x180E, 0x180E},
                                                      {0x2000, 0x200F},
                                                      {0x2028, 0x202F},
                                                      {0x205F, 0x206F},
                                                      {0x3000, 0x3000},
                                                      {0xD800, 0xF8FF},
                                                      {0xFEFF, 0xFEFF},
                                                      {0xFFF0, 0xFFFB},
                                                      {0xFFFE, 0xFFFF},
                                                      {0xE0000, 0x10FFFF}}};
  for (const Range& range : kRefused) {
    if (code >= range.first && code <= range.last) {
      return false;
    }
  }
  return true;
}

std::string QuoteCharacter(absl::string_view character) {
  static constexpr absl::string_view kNamed = "\a\b\f\n\r\t\v\\\"";
  static constexpr absl::string_view kLetters = "abfnrtv\\\"";
  size_t named = kNamed.find(character[0]);
  if (character.size() == 1 && named != absl::string_view::npos) {
    return {'\\', kLetters[named]};
  }
  uint32_t code = CodePoint(character);
  bool stray = character.size() == 1 && code >= 0x80;
  if (!stray && IsPrintable(code)) {
    return std::string(character);
  }
  if (stray || code < 0x80) {
    return absl::StrFormat("\\x%02x", code);
  }
  return code > 0xFFFF ? absl::StrFormat("\\U%08x", code)
                       : absl::StrFormat("\\u%04x", code);
}

// "1.5" for 1500 in units of 1000.
std::string Decimal(int64_t value, int64_t unit) {
  std::string text = absl::StrCat(value / unit);
  if (int64_t rest = value % unit; rest != 0) {
    std::string digits = absl::StrCat(unit + rest).substr(1);
    digits.resize(digits.find_last_not_of('0') + 1);
    absl::StrAppend(&text, ".", digits);
  }
  return text;
}

absl::Status InvalidDuration(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("time: invalid duration ", GoQuote(text)));
}

int64_t UnitOf(absl::string_view unit) {
  return unit == "h"    ? kHour
         : unit == "m"  ? kMinute
         : unit == "s"  ? kSecond
         : unit == "ms" ? kMillisecond
         : unit == "us" || unit == "\xC2\xB5s" || unit == "\xCE\xBCs"
             ? kMicrosecond
         : unit == "ns" ? 1
                        : 0;
}

absl::string_view TakeDigits(absl::string_view& text) {
  size_t length = 0;
  while (length < text.size() && absl::ascii_isdigit(text[length])) {
    ++length;
  }
  absl::string_view digits = text.substr(0, length);
  text.remove_prefix(length);
  return digits;
}

}  // namespace

std::string GoQuote(absl::string_view text) {
  std::string quoted = "\"";
  for (absl::string_view character : SplitCharacters(text)) {
    quoted += QuoteCharacter(character);
  }
  return quoted + "\"";
}

std::string GoQuotedList(const std::vector<std::string>& values) {
  auto quote = [](std::string* out, const std::string& value) {
    out->append(GoQuote(value));
  };
  return absl::StrCat("[", absl::StrJoin(values, " ", quote), "]");
}

std::string GoList(const std::vector<std::string>& values) {
  return absl::StrCat("[", absl::StrJoin(values, " "), "]");
}

std::string FormatDuration(int64_t nanoseconds) {
  if (nanoseconds == 0) {
    return "0s";
  }
  if (nanoseconds < 0) {
    return absl::StrCat("-", FormatDuration(-nanoseconds));
  }
  if (nanoseconds < kMicrosecond) {
    return absl::StrCat(nanoseconds, "ns");
  }
  if (nanoseconds < kMillisecond) {
    return Decimal(nanoseconds, kMicrosecond) + "\xC2\xB5s";
  }
  if (nanoseconds < kSecond) {
    return Decimal(nanoseconds, kMillisecond) + "ms";
  }
  std::string text;
  if (nanoseconds >= kHour) {
    absl::StrAppend(&text, nanoseconds / kHour, "h");
  }
  if (nanoseconds >= kMinute) {
    absl::StrAppend(&text, nanoseconds % kHour / kMinute, "m");
  }
  return absl::StrCat(text, Decimal(nanoseconds % kMinute, kSecond), "s");
}

absl::StatusOr<int64_t> ParseDuration(absl::string_view text) {
  absl::string_view rest = text;
  bool negative = absl::ConsumePrefix(&rest, "-");
  if (!negative) {
    absl::ConsumePrefix(&rest, "+");
  }
  if (rest == "0") {
    return 0;
  }
  if (rest.empty()) {
    return InvalidDuration(text);
  }
  long double total = 0;
  while (!rest.empty()) {
    absl::string_view whole = TakeDigits(rest);
    absl::string_view fraction;
    if (absl::ConsumePrefix(&rest, ".")) {
      fraction = TakeDigits(rest);
    }
    if (whole.empty() && fraction.empty()) {
      return InvalidDuration(text);
    }
    size_t length = 0;
    while (length < rest.size() && rest[length] != '.' &&
           !absl::ascii_isdigit(rest[length])) {
      ++length;
    }
    absl::string_view unit = rest.substr(0, length);
    rest.remove_prefix(length);
    if (unit.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("time: missing unit in duration ", GoQuote(text),
                       "; write one such as 30s"));
    }
    int64_t scale = UnitOf(unit);
    if (scale == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("time: unknown unit ", GoQuote(unit), " in duration ",
                       GoQuote(text)));
    }
    long double value = 0;
    for (char c : whole) {
      value = value * 10 + (c - '0');
    }
    long double place = 1;
    for (char c : fraction) {
      place /= 10;
      value += place * (c - '0');
    }
    total += std::floor(value * scale + 1e-6L);
    if (total >= 9223372036854775807.0L) {
      return InvalidDuration(text);
    }
  }
  auto nanoseconds = static_cast<int64_t>(total);
  return negative ? -nanoseconds : nanoseconds;
}

}  // namespace lamina::frontend
