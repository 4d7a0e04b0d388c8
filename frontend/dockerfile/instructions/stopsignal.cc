#include <array>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

constexpr std::array<absl::string_view, 36> kNames = {
    "ABRT", "ALRM", "BUS",   "CHLD",   "CLD",  "CONT", "FPE",    "HUP",
    "ILL",  "INT",  "IO",    "IOT",    "KILL", "PIPE", "POLL",   "PROF",
    "PWR",  "QUIT", "SEGV",  "STKFLT", "STOP", "SYS",  "TERM",   "TRAP",
    "TSTP", "TTIN", "TTOU",  "URG",    "USR1", "USR2", "VTALRM", "WINCH",
    "XCPU", "XFSZ", "RTMIN", "RTMAX"};

// RTMIN+1 ... RTMIN+15, RTMAX-14 ... RTMAX-1.
bool IsRealTime(absl::string_view name) {
  int most = 0;
  if (absl::ConsumePrefix(&name, "RTMIN+")) {
    most = 15;
  } else if (absl::ConsumePrefix(&name, "RTMAX-")) {
    most = 14;
  }
  int offset = 0;
  return most != 0 && absl::SimpleAtoi(name, &offset) && offset >= 1 &&
         offset <= most && absl::StrCat(offset) == name;
}

bool IsSignal(absl::string_view text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    return number != 0;
  }
  std::string upper = absl::AsciiStrToUpper(text);
  absl::string_view name = absl::StripPrefix(upper, "SIG");
  return absl::c_linear_search(kNames, name) || IsRealTime(name);
}

// STOPSIGNAL swallows flags in silence, as BuildKit does.
bool ReadsNoFlags(const Statement& /*statement*/) { return false; }

void Lower(const Statement& statement, Stage& stage) {
  std::optional<std::string> signal = stage.Expand(statement.text);
  if (!signal.has_value()) {
    return;
  }
  if (!IsSignal(*signal)) {
    std::vector<std::string> names;
    for (absl::string_view name : kNames) {
      names.push_back(absl::StrCat("SIG", name));
    }
    std::string hint = DidYouMean(*signal, names);
    stage.ValueError("bad-arguments", statement.text.range,
                     absl::StrCat("invalid signal: ", *signal,
                                  hint.empty() ? "; write a name such as "
                                                 "SIGTERM, or a number"
                                               : hint));
    return;
  }
  stage.config().stop_signal = *signal;
  stage.CommitConfig(absl::StrCat("STOPSIGNAL ", *signal));
}

}  // namespace

constinit const Instruction kStopsignal = {
    .keyword = "STOPSIGNAL",
    .shape = grammar::ArgumentShape::kText,
    .reads_flags = ReadsNoFlags,
    .check = CheckOneText,
    .describe = DescribeText,
    .lower = Lower,
};

}  // namespace lamina::frontend
