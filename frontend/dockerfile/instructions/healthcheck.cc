#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Flag;
using grammar::Statement;

constexpr FlagSpec kFlags[] = {
    {"interval"},       {"timeout"}, {"start-period"},
    {"start-interval"}, {"retries"},
};

// Where each duration is kept and under which key it is described.
struct DurationField {
  absl::string_view flag;
  absl::string_view key;
  int64_t ir::Healthcheck::*value;
};
constexpr DurationField kDurations[] = {
    {"interval", "interval_ns", &ir::Healthcheck::interval_ns},
    {"timeout", "timeout_ns", &ir::Healthcheck::timeout_ns},
    {"start-period", "start_period_ns", &ir::Healthcheck::start_period_ns},
    {"start-interval", "start_interval_ns",
     &ir::Healthcheck::start_interval_ns},
};

bool ReadsFlags(const Statement& statement) { return statement.type != "NONE"; }

// Errors have the texts of dockerfile.md 11.
absl::StatusOr<int64_t> ReadDuration(const Flag& flag) {
  if (flag.value->empty()) {
    return 0;
  }
  absl::StatusOr<int64_t> value = ParseDuration(*flag.value);
  if (value.ok() && *value != 0 && *value < 1000 * 1000) {
    return absl::InvalidArgumentError(
        absl::StrCat("Interval \"", flag.name,
                     "\" cannot be less than 1ms; 0 stands for the default"));
  }
  return value;
}

absl::StatusOr<int64_t> ReadRetries(const Flag& flag) {
  int32_t retries = 0;
  if (!flag.value->empty() && !absl::SimpleAtoi(*flag.value, &retries)) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid number of retries: ", *flag.value,
                     "; write a number such as 3"));
  }
  if (retries < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--retries cannot be negative (", retries,
                     "); 0 stands for the default"));
  }
  return retries;
}

void CheckFlagValue(const Flag& flag, Diagnostics& diagnostics) {
  if (!flag.value.has_value()) {
    return;
  }
  absl::StatusOr<int64_t> value =
      flag.name == "retries" ? ReadRetries(flag) : ReadDuration(flag);
  if (!value.ok()) {
    diagnostics.Error("bad-flag", flag.value_range,
                      std::string(value.status().message()));
  }
}

void Check(const Statement& statement, Diagnostics& diagnostics) {
  auto report = [&](SourceRange range, std::string message) {
    diagnostics.Error("bad-arguments", range, std::move(message));
  };
  bool has_command =
      statement.json ? !statement.words.empty() : !statement.text.text.empty();
  if (statement.type.empty()) {
    report(ArgumentRange(statement),
           "HEALTHCHECK requires at least one argument; write `HEALTHCHECK "
           "CMD COMMAND` or `HEALTHCHECK NONE`");
  } else if (statement.type == "NONE") {
    if (statement.json || !statement.text.text.empty()) {
      report(ArgumentRange(statement),
             "HEALTHCHECK NONE takes no arguments; remove this");
    }
    return;
  } else if (statement.type != "CMD") {
    ReportUnknown(
        {.code = "bad-arguments",
         .range = statement.type_range,
         .message = absl::StrCat("Unknown type ", GoQuote(statement.type),
                                 " in HEALTHCHECK (try CMD)"),
         .word = statement.type,
         .candidates = {"CMD", "NONE"},
         .otherwise = "; write CMD before the command"},
        diagnostics);
  } else if (!has_command) {
    report(statement.type_range,
           "Missing command after HEALTHCHECK CMD; write the command that "
           "tests the container");
  }
  for (const Flag& flag : statement.flags) {
    for (const FlagSpec& known : kFlags) {
      if (known.name == flag.name) {
        CheckFlagValue(flag, diagnostics);
      }
    }
  }
}

// Of a statement that passed the check.
ir::Healthcheck Read(const Statement& statement) {
  ir::Healthcheck health;
  if (statement.type == "NONE") {
    health.test = {"NONE"};
    return health;
  }
  if (statement.json) {
    health.test = WordTexts(statement.words);
    health.test.insert(health.test.begin(), "CMD");
  } else {
    health.test = {"CMD-SHELL", statement.text.text};
  }
  for (const DurationField& field : kDurations) {
    if (const Flag* flag = FindFlag(statement, field.flag)) {
      health.*field.value = ReadDuration(*flag).value_or(0);
    }
  }
  if (const Flag* flag = FindFlag(statement, "retries")) {
    health.retries = ReadRetries(*flag).value_or(0);
  }
  return health;
}

void Describe(const Statement& statement, Json& object) {
  ir::Healthcheck health = Read(statement);
  object.Set("test", Json::Strings(health.test));
  for (const DurationField& field : kDurations) {
    if (health.*field.value != 0) {
      object.Set(field.key, health.*field.value);
    }
  }
  if (health.retries != 0) {
    object.Set("retries", health.retries);
  }
}

void Lower(const Statement& statement, Stage& stage) {
  ir::Healthcheck health = Read(statement);
  stage.CommitConfig(
      absl::StrCat("HEALTHCHECK {Test:", GoList(health.test),
                   " Interval:", FormatDuration(health.interval_ns),
                   " Timeout:", FormatDuration(health.timeout_ns),
                   " StartPeriod:", FormatDuration(health.start_period_ns),
                   " StartInterval:", FormatDuration(health.start_interval_ns),
                   " Retries:", health.retries, "}"));
  stage.config().healthcheck = std::move(health);
}

}  // namespace

constinit const Instruction kHealthcheck = {
    .keyword = "HEALTHCHECK",
    .shape = grammar::ArgumentShape::kTypeAndJsonOrText,
    .flags = kFlags,
    .reads_flags = ReadsFlags,
    .check = Check,
    .describe = Describe,
    .lower = Lower,
};

}  // namespace lamina::frontend
