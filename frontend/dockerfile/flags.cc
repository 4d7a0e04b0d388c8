#include "frontend/dockerfile/flags.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace lamina::frontend {
namespace {

using grammar::Flag;
using grammar::Statement;

void CheckUnknownFlag(const Statement& statement, const Flag& flag,
                      absl::Span<const FlagSpec> known,
                      Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const FlagSpec& spec : known) {
    names.push_back(absl::StrCat("--", spec.name));
  }
  std::string written = absl::StrCat("--", flag.name);
  std::string hint =
      names.empty() ? absl::StrCat("; ", statement.keyword,
                                   " has no flags: if `", written,
                                   "` is an argument, write `--` before it")
                    : absl::StrCat("; ", statement.keyword, " knows ",
                                   absl::StrJoin(names, ", "));
  ReportUnknown({.code = "unknown-flag",
                 .range = NameRange(flag),
                 .message = absl::StrCat("unknown flag: ", written),
                 .word = written,
                 .candidates = std::move(names),
                 .otherwise = std::move(hint)},
                diagnostics);
}

void ReportDuplicate(const Flag& flag, const Flag& first,
                     Diagnostics& diagnostics) {
  Diagnostic duplicate = {
      .code = "duplicate-flag",
      .range = NameRange(flag),
      .message = absl::StrCat("duplicate flag specified: --", flag.name,
                              "; remove one of the two")};
  duplicate.notes.push_back({NameRange(first), "the first one is here"});
  diagnostics.Add(std::move(duplicate));
}

void CheckFlag(const Flag& flag, const FlagSpec& spec,
               Diagnostics& diagnostics) {
  bool boolean = spec.kind == FlagKind::kBool;
  if (boolean ? flag.value == "" : !flag.value.has_value()) {
    diagnostics.Error(
        "bad-flag", flag.range,
        absl::StrCat("missing a value on flag: --", spec.name, "; write `--",
                     spec.name, boolean ? "=true" : "=VALUE", "`"));
  } else if (boolean && flag.value.has_value() &&
             !absl::EqualsIgnoreCase(*flag.value, "true") &&
             !absl::EqualsIgnoreCase(*flag.value, "false")) {
    ReportUnknown(
        {.code = "bad-flag",
         .range = flag.value_range,
         .message = absl::StrCat("expecting boolean value for flag --",
                                 spec.name, ", not: ", *flag.value),
         .word = *flag.value,
         .candidates = {"true", "false"},
         .otherwise = "; write true or false"},
        diagnostics);
  }
}

}  // namespace

void CheckFlags(const Statement& statement, absl::Span<const FlagSpec> known,
                Diagnostics& diagnostics) {
  for (const Flag& flag : statement.flags) {
    auto spec = absl::c_find_if(
        known, [&](const FlagSpec& s) { return s.name == flag.name; });
    if (spec == known.end()) {
      CheckUnknownFlag(statement, flag, known, diagnostics);
      continue;
    }
    const Flag* first = FindFlag(statement, flag.name);
    if (first != &flag && spec->kind != FlagKind::kList) {
      ReportDuplicate(flag, *first, diagnostics);
    } else {
      CheckFlag(flag, *spec, diagnostics);
    }
  }
}

const Flag* FindFlag(const Statement& statement, absl::string_view name) {
  for (const Flag& flag : statement.flags) {
    if (flag.name == name) {
      return &flag;
    }
  }
  return nullptr;
}

std::string FlagText(const Statement& statement, absl::string_view name) {
  const Flag* flag = FindFlag(statement, name);
  return flag == nullptr ? "" : flag->value.value_or("");
}

std::vector<std::string> FlagList(const Statement& statement,
                                  absl::string_view name) {
  std::vector<std::string> values;
  for (const Flag& flag : statement.flags) {
    if (flag.name == name) {
      values.push_back(flag.value.value_or(""));
    }
  }
  return values;
}

bool FlagIsTrue(const Statement& statement, absl::string_view name,
                bool otherwise) {
  const Flag* flag = FindFlag(statement, name);
  if (flag == nullptr) {
    return otherwise;
  }
  return !flag->value.has_value() ||
         absl::EqualsIgnoreCase(*flag->value, "true");
}

SourceRange NameRange(const Flag& flag) {
  return flag.value_range == flag.range
             ? flag.range
             : SourceRange{flag.range.begin, flag.value_range.begin - 1};
}

SourceRange ValuePart(const Flag& flag, SourceRange part) {
  SourceRange whole = flag.value_range;
  bool as_written = flag.value.has_value() && whole != flag.range &&
                    whole.end - whole.begin == flag.value->size();
  return as_written
             ? SourceRange{whole.begin + part.begin, whole.begin + part.end}
             : whole;
}

std::string DidYouMean(absl::string_view word,
                       const std::vector<std::string>& candidates) {
  std::optional<std::string> closest = Closest(word, candidates);
  return closest.has_value()
             ? absl::StrCat("; did you mean `", *closest, "`?")
             : "";
}

void ReportUnknown(const UnknownWord& unknown, Diagnostics& diagnostics) {
  Diagnostic diagnostic = {.code = std::string(unknown.code),
                           .range = unknown.range,
                           .message = unknown.message};
  std::optional<std::string> near = Closest(unknown.word, unknown.candidates);
  if (near.has_value()) {
    absl::StrAppend(&diagnostic.message, "; did you mean `", *near, "`?");
    diagnostic.fix = {
        {absl::StrCat("write `", *near, "`"), {{unknown.range, *near}}}};
  } else {
    diagnostic.message += unknown.otherwise;
  }
  diagnostics.Add(std::move(diagnostic));
}

std::string Choices(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    absl::string_view before = i == 0                 ? ""
                               : i + 1 < words.size() ? ", "
                                                      : " or ";
    absl::StrAppend(&text, before, words[i]);
  }
  return text;
}

}  // namespace lamina::frontend
