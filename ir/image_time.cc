// RFC 3339 times of configurations and histories.
#include <chrono>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "ir/image_config.h"

namespace lamina::ir {
namespace {

// Reads fixed places; any mistake makes the whole time unreadable.
class TimeReader {
 public:
  explicit TimeReader(absl::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  char Peek() const { return rest_.empty() ? '\0' : rest_[0]; }

  int64_t Digits(size_t count) {
    int64_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      char digit = Take();
      ok_ = ok_ && digit >= '0' && digit <= '9';
      value = value * 10 + (digit - '0');
    }
    return ok_ ? value : 0;
  }
  void Skip(char expected) {
    ok_ = absl::ascii_toupper(static_cast<unsigned char>(Take())) == expected &&
          ok_;
  }
  void SkipFraction() {
    if (Peek() == '.') {
      Take();
      Digits(1);
      while (Peek() >= '0' && Peek() <= '9') {
        Take();
      }
    }
  }
  // Seconds east of Greenwich.
  int64_t Offset() {
    if (Peek() != '+' && Peek() != '-') {
      Skip('Z');
      return 0;
    }
    int64_t sign = Take() == '-' ? -1 : 1;
    int64_t hours = Digits(2);
    Skip(':');
    int64_t minutes = Digits(2);
    ok_ = ok_ && hours < 24 && minutes < 60;
    return sign * (hours * 3600 + minutes * 60);
  }

 private:
  char Take() {
    if (rest_.empty()) {
      ok_ = false;
      return '\0';
    }
    char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  absl::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::string FormatTime(int64_t seconds) {
  std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  auto day = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date{day};
  std::chrono::hh_mm_ss clock{time - day};
  return absl::StrFormat(
      "%04d-%02d-%02dT%02d:%02d:%02dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

int64_t ParseTime(absl::string_view text) {
  TimeReader reader(text);
  int64_t year = reader.Digits(4);
  reader.Skip('-');
  int64_t month = reader.Digits(2);
  reader.Skip('-');
  int64_t day = reader.Digits(2);
  reader.Skip('T');
  int64_t hour = reader.Digits(2);
  reader.Skip(':');
  int64_t minute = reader.Digits(2);
  reader.Skip(':');
  int64_t second = reader.Digits(2);
  reader.SkipFraction();
  int64_t offset = reader.Offset();
  std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                   std::chrono::month(month),
                                   std::chrono::day(day)};
  // 60 is a leap second.
  bool valid = reader.ok() && reader.at_end() && date.ok() && hour < 24 &&
               minute < 60 && second <= 60;
  if (!valid) {
    return 0;
  }
  std::chrono::sys_days days{date};
  return days.time_since_epoch().count() * int64_t{86400} + hour * 3600 +
         minute * 60 + second - offset;
}

}  // namespace lamina::ir
