// Typed access to the flags of a command line, and the errors and results a
// command prints.
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"

namespace lamina::cli {
namespace {

constexpr absl::string_view kExitCodePayload = "lamina.exit-code";

absl::Status BadValue(absl::string_view flag, absl::string_view value,
                      absl::string_view wanted) {
  return UsageError(
      absl::StrCat("`--", flag, "` takes ", wanted, ", not `", value, "`"));
}

// Cuts "12.5" from the front of `text`.
std::optional<double> CutNumber(absl::string_view& text) {
  const size_t end = text.find_first_not_of("0123456789.");
  double number = 0;
  if (!absl::SimpleAtod(text.substr(0, end), &number)) {
    return std::nullopt;
  }
  text.remove_prefix(end == absl::string_view::npos ? text.size() : end);
  return number;
}

std::optional<double> UnitSeconds(absl::string_view unit) {
  if (unit == "ms") {
    return 0.001;
  }
  if (unit == "s" || unit.empty()) {
    return 1;
  }
  if (unit == "m") {
    return 60;
  }
  return unit == "h" ? std::optional<double>(3600) : std::nullopt;
}

void PrintLine(absl::string_view kind, absl::string_view message) {
  std::string text = absl::StrCat(kind, ": ");
  bool first = true;
  for (absl::string_view line : absl::StrSplit(message, '\n')) {
    absl::StrAppend(&text, first ? "" : "\n", EscapeControls(line));
    first = false;
  }
  // Nothing can be done when stderr is gone.
  (void)WriteAll(STDERR_FILENO, absl::StrCat(text, "\n"));
}

}  // namespace

const Flag& Invocation::Lookup(absl::string_view name) const {
  for (const Flag& flag : command_.flags) {
    if (flag.name == name) {
      return flag;
    }
  }
  CHECK(!"the table of the command has the flag");
}

bool Invocation::Has(absl::string_view name) const {
  Lookup(name);
  return values_.find(std::string(name)) != values_.end();
}

bool Invocation::GetBool(absl::string_view name) const {
  CHECK(Lookup(name).value.empty());
  return Get(name) == "true";
}

std::string Invocation::Get(absl::string_view name) const {
  const Flag& flag = Lookup(name);
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::string(flag.default_value)
                                : found->second.back();
}

std::vector<std::string> Invocation::GetAll(absl::string_view name) const {
  CHECK(Lookup(name).repeatable);
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

absl::StatusOr<int64_t> Invocation::GetInt(absl::string_view name) const {
  const std::string value = Get(name);
  int64_t number = 0;
  if (!absl::SimpleAtoi(value, &number)) {
    return BadValue(name, value, "a whole number");
  }
  return number;
}

absl::StatusOr<int64_t> Invocation::GetSize(absl::string_view name) const {
  const std::string value = Get(name);
  const std::string lower = absl::AsciiStrToLower(value);
  absl::string_view rest = lower;
  const std::optional<double> number = CutNumber(rest);
  if (rest.size() > 1 && rest.back() == 'b') {
    rest.remove_suffix(1);
  }
  const size_t power = rest.empty() ? 0 : absl::string_view("bkmgt").find(rest);
  if (!number.has_value() || power == absl::string_view::npos) {
    return BadValue(name, value, "a size such as `64m`");
  }
  const double bytes = *number * static_cast<double>(1LL << (10 * power));
  if (bytes >= 9e18) {
    return BadValue(name, value, "a size below 8 EiB");
  }
  return static_cast<int64_t>(bytes);
}

absl::StatusOr<double> Invocation::GetDuration(absl::string_view name) const {
  const std::string value = Get(name);
  absl::string_view rest = value;
  double seconds = 0;
  do {
    const std::optional<double> number = CutNumber(rest);
    const size_t end = rest.find_first_of("0123456789.");
    const std::optional<double> unit = UnitSeconds(rest.substr(0, end));
    if (!number.has_value() || !unit.has_value()) {
      return BadValue(name, value, "a duration such as `1m30s`");
    }
    seconds += *number * *unit;
    rest.remove_prefix(end == absl::string_view::npos ? rest.size() : end);
  } while (!rest.empty());
  return seconds;
}

absl::Status WithExitCode(const absl::Status& status, int code) {
  absl::Status result = status;
  if (!result.ok()) {
    result.SetPayload(kExitCodePayload, absl::Cord(absl::StrCat(code)));
  }
  return result;
}

absl::Status UserError(absl::string_view message) {
  return WithExitCode(absl::FailedPreconditionError(message), 1);
}

absl::Status UsageError(absl::string_view message) {
  return WithExitCode(absl::InvalidArgumentError(message), 2);
}

int ExitCodeOf(const absl::Status& status) {
  int code = 3;
  if (absl::optional<absl::Cord> payload =
          status.GetPayload(kExitCodePayload)) {
    CHECK(absl::SimpleAtoi(std::string(*payload), &code));
  }
  return status.ok() ? 0 : code;
}

void PrintWarning(absl::string_view message) { PrintLine("warning", message); }
void PrintError(absl::string_view message) { PrintLine("error", message); }

absl::Status PrintResult(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(written);
    } else if (errno == EPIPE) {
      return absl::OkStatus();
    } else if (errno != EINTR) {
      return ErrnoError("cannot write to stdout");
    }
  }
  return absl::OkStatus();
}

}  // namespace lamina::cli
