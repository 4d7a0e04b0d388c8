#include "frontend/dockerfile/flags.h"

#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace lamina::frontend {
namespace {

using grammar::Flag;
using grammar::Statement;

std::string UnknownFlag(absl::string_view name,
                        absl::Span<const FlagSpec> known) {
  std::vector<std::string> names;
  for (const FlagSpec& spec : known) {
    names.push_back(absl::StrCat("--", spec.name));
  }
  std::string written = absl::StrCat("--", name);
  return absl::StrCat("unknown flag: ", written, DidYouMean(written, names));
}

void CheckFlag(const Flag& flag, const FlagSpec& spec,
               Diagnostics& diagnostics) {
  bool boolean = spec.kind == FlagKind::kBool;
  if (boolean ? flag.value == "" : !flag.value.has_value()) {
    diagnostics.Error("bad-flag", flag.range,
                      absl::StrCat("missing a value on flag: --", spec.name));
  } else if (boolean && flag.value.has_value() &&
             !absl::EqualsIgnoreCase(*flag.value, "true") &&
             !absl::EqualsIgnoreCase(*flag.value, "false")) {
    diagnostics.Error("bad-flag", flag.value_range,
                      absl::StrCat("expecting boolean value for flag --",
                                   spec.name, ", not: ", *flag.value));
  }
}

}  // namespace

void CheckFlags(const Statement& statement, absl::Span<const FlagSpec> known,
                Diagnostics& diagnostics) {
  std::set<std::string> seen;
  for (const Flag& flag : statement.flags) {
    auto spec = absl::c_find_if(
        known, [&](const FlagSpec& s) { return s.name == flag.name; });
    if (spec == known.end()) {
      diagnostics.Error("unknown-flag", flag.range,
                        UnknownFlag(flag.name, known));
    } else if (!seen.insert(flag.name).second &&
               spec->kind != FlagKind::kList) {
      diagnostics.Error(
          "duplicate-flag", flag.range,
          absl::StrCat("duplicate flag specified: --", flag.name));
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

std::string DidYouMean(absl::string_view word,
                       const std::vector<std::string>& candidates) {
  std::optional<std::string> closest = Closest(word, candidates);
  return closest.has_value()
             ? absl::StrCat("; did you mean `", *closest, "`?")
             : "";
}

}  // namespace lamina::frontend
