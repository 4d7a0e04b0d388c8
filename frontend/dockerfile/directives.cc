#include "frontend/dockerfile/directives.h"

#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/go_text.h"

namespace lamina::frontend {
namespace {

using grammar::Word;

const std::vector<std::string>& CheckNames() {
  static const auto* names =
      new std::vector<std::string>{"StageNameCasing",
                                   "FromAsCasing",
                                   "NoEmptyContinuation",
                                   "ConsistentInstructionCasing",
                                   "DuplicateStageName",
                                   "ReservedStageName",
                                   "JSONArgsRecommended",
                                   "MaintainerDeprecated",
                                   "UndefinedArgInFrom",
                                   "WorkdirRelativePath",
                                   "UndefinedVar",
                                   "MultipleInstructionsDisallowed",
                                   "LegacyKeyValueFormat",
                                   "InvalidBaseImagePlatform",
                                   "RedundantTargetPlatform",
                                   "SecretsUsedInArgOrEnv",
                                   "InvalidDefaultArgInFrom",
                                   "FromPlatformFlagConstDisallowed",
                                   "CopyIgnoredFile",
                                   "InvalidDefinitionDescription",
                                   "ExposeProtoCasing",
                                   "ExposeInvalidFormat"};
  return *names;
}

// The directive, or the build argument that replaces it, which has no place.
struct Setting {
  absl::string_view text;
  std::optional<SourceRange> range;

  // A part of `text`.
  std::optional<SourceRange> Place(absl::string_view part) const {
    if (!range.has_value()) {
      return std::nullopt;
    }
    uint32_t begin = range->begin + (part.data() - text.data());
    return SourceRange{begin, begin + static_cast<uint32_t>(part.size())};
  }
};

std::optional<Setting> FindSetting(const std::optional<Word>& directive,
                                   const char* argument,
                                   const BuildOptions& options) {
  auto given = options.build_args.find(argument);
  if (given != options.build_args.end()) {
    return Setting{given->second, std::nullopt};
  }
  if (directive.has_value()) {
    return Setting{directive->text, directive->range};
  }
  return std::nullopt;
}

void CheckRuleNames(const Setting& setting, absl::string_view list,
                    Diagnostics& diagnostics) {
  for (absl::string_view name : absl::StrSplit(list, ',')) {
    name = absl::StripAsciiWhitespace(name);
    if (name.empty() || name == "all" ||
        absl::c_linear_search(CheckNames(), name)) {
      continue;
    }
    diagnostics.Add({.severity = Severity::kWarning,
                     .code = "unknown-check",
                     .range = setting.Place(name),
                     .message = absl::StrCat("no check is named `", name, "`",
                                             DidYouMean(name, CheckNames()))});
  }
}

bool IsGoBool(absl::string_view text) {
  for (absl::string_view known : {"1", "t", "T", "TRUE", "true", "True", "0",
                                  "f", "F", "FALSE", "false", "False"}) {
    if (text == known) {
      return true;
    }
  }
  return false;
}

void CheckPart(const Setting& setting, absl::string_view part,
               Diagnostics& diagnostics) {
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
  if (key != "error") {
    CheckRuleNames(setting, value, diagnostics);
  } else if (!IsGoBool(value)) {
    report(value, absl::StrCat("failed to parse check option ", GoQuote(part),
                               "; error is true or false"));
  } else if (absl::AsciiStrToLower(value.substr(0, 1)) == "t" ||
             value == "1") {
    diagnostics.Add(
        {.severity = Severity::kWarning,
         .code = "check-not-run",
         .range = setting.Place(part),
         .message = "error=true stops nothing: lamina does not run the checks "
                    "of build files yet"});
  }
}

void CheckChecks(const Setting& setting, Diagnostics& diagnostics) {
  if (absl::StripAsciiWhitespace(setting.text).empty()) {
    return;
  }
  // Whatever follows a second `;` is one part.
  for (absl::string_view part :
       absl::StrSplit(setting.text, absl::MaxSplits(';', 2))) {
    CheckPart(setting, part, diagnostics);
  }
}

void CheckSyntax(const Setting& setting, Diagnostics& diagnostics) {
  absl::string_view image =
      setting.text.substr(0, setting.text.find_first_of(" \t"));
  absl::string_view name = absl::StripPrefix(image, "docker.io/");
  name = name.substr(0, name.find_first_of(":@"));
  if (image.empty() || image == "dockerfile.v0" ||
      name == "docker/dockerfile" || name == "docker/dockerfile-upstream") {
    return;
  }
  diagnostics.Add(
      {.severity = Severity::kWarning,
       .code = "foreign-syntax",
       .range = setting.Place(image),
       .message = absl::StrCat("the front end `", image,
                               "` is not run; the file is read as a Dockerfile",
                               DidYouMean(name, {"docker/dockerfile"}))});
}

}  // namespace

void CheckDirectives(const grammar::DockerfileSyntax& syntax,
                     const BuildOptions& options, Diagnostics& diagnostics) {
  if (auto setting =
          FindSetting(syntax.syntax_directive, "BUILDKIT_SYNTAX", options)) {
    CheckSyntax(*setting, diagnostics);
  }
  if (auto setting = FindSetting(syntax.check_directive,
                                 "BUILDKIT_DOCKERFILE_CHECK", options)) {
    CheckChecks(*setting, diagnostics);
  }
}

}  // namespace lamina::frontend
