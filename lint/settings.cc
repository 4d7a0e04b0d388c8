#include "lint/settings.h"

#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "frontend/dockerfile/directives.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/go_text.h"

namespace lamina::lint {
namespace {

using frontend::DidYouMean;
using frontend::GoQuote;
using frontend::Setting;

void AddNames(absl::string_view list, RuleNames& names) {
  for (absl::string_view name : absl::StrSplit(list, ',')) {
    name = absl::StripAsciiWhitespace(name);
    names.all = names.all || name == "all";
    names.names.emplace(name);
  }
}

void CheckNames(const Setting& setting, absl::string_view list,
                Diagnostics& diagnostics) {
  std::vector<std::string> known;
  for (const Rule* rule : AllRules()) {
    known.emplace_back(rule->name);
  }
  for (absl::string_view name : absl::StrSplit(list, ',')) {
    name = absl::StripAsciiWhitespace(name);
    if (!name.empty() && name != "all" && !absl::c_linear_search(known, name)) {
      diagnostics.Add({.severity = Severity::kWarning,
                       .code = "unknown-check",
                       .range = setting.Place(name),
                       .message = absl::StrCat("no check is named `", name, "`",
                                               DidYouMean(name, known))});
    }
  }
}

// strconv.ParseBool.
std::optional<bool> ReadBool(absl::string_view text) {
  for (absl::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) {
      return true;
    }
  }
  for (absl::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) {
      return false;
    }
  }
  return std::nullopt;
}

// One `key=value`.
void ReadPart(const Setting& setting, absl::string_view part,
              Settings& settings, Diagnostics& diagnostics) {
  auto report = [&](absl::string_view place, std::string message) {
    diagnostics.Add({.code = "bad-check",
                     .range = setting.Place(place),
                     .message = std::move(message)});
  };
  size_t equals = part.find('=');
  absl::string_view key = absl::StripAsciiWhitespace(part.substr(0, equals));
  if (equals == part.npos ||
      (key != "skip" && key != "experimental" && key != "error")) {
    std::string wrong(equals == part.npos ? part : key);
    std::string hint = DidYouMean(key, {"skip", "error", "experimental"});
    report(absl::StripAsciiWhitespace(equals == part.npos ? part : key),
           absl::StrCat("invalid check option ", GoQuote(wrong),
                        equals == part.npos ? "; write skip=, error= or "
                                              "experimental= and a value"
                        : hint.empty()      ? "; it is skip, error or "
                                              "experimental"
                                            : hint));
    return;
  }
  absl::string_view value = absl::StripAsciiWhitespace(part.substr(equals + 1));
  if (key == "error") {
    std::optional<bool> error = ReadBool(value);
    settings.error = error.value_or(false);
    if (!error.has_value()) {
      report(value, absl::StrCat("failed to parse check option ", GoQuote(part),
                                 "; error is true or false"));
    }
    return;
  }
  CheckNames(setting, value, diagnostics);
  AddNames(value, key == "skip" ? settings.skip : settings.experimental);
}

}  // namespace

bool Settings::Runs(const Rule& rule) const {
  return rule.experimental ? experimental.Has(rule.name) : !skip.Has(rule.name);
}

Settings ReadSettings(const grammar::DockerfileSyntax& syntax,
                      const frontend::BuildOptions& options,
                      Diagnostics& diagnostics) {
  Settings settings;
  std::optional<Setting> setting = frontend::FindSetting(
      syntax.check_directive, "BUILDKIT_DOCKERFILE_CHECK", options);
  if (setting.has_value() &&
      !absl::StripAsciiWhitespace(setting->text).empty()) {
    // Whatever follows a second `;` is one part.
    for (absl::string_view part :
         absl::StrSplit(setting->text, absl::MaxSplits(';', 2))) {
      ReadPart(*setting, part, settings, diagnostics);
    }
  }
  return settings;
}

bool SkippedByComment(const grammar::Statement& statement, const Rule& rule) {
  RuleNames skip;
  for (const grammar::Word& comment : statement.comments) {
    absl::string_view text = absl::StripAsciiWhitespace(comment.text);
    if (!absl::ConsumePrefix(&text, "check=")) {
      continue;
    }
    text = text.substr(0, text.find_first_of(" \t"));
    for (absl::string_view part : absl::StrSplit(text, ';')) {
      if (absl::ConsumePrefix(&part, "skip=")) {
        AddNames(part, skip);
      }
    }
  }
  return skip.Has(rule.name);
}

}  // namespace lamina::lint
