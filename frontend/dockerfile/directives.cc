#include "frontend/dockerfile/directives.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "frontend/dockerfile/flags.h"

namespace lamina::frontend {

std::optional<SourceRange> Setting::Place(absl::string_view part) const {
  if (!range.has_value()) {
    return std::nullopt;
  }
  uint32_t begin = range->begin + (part.data() - text.data());
  return SourceRange{begin, begin + static_cast<uint32_t>(part.size())};
}

std::optional<Setting> FindSetting(
    const std::optional<grammar::Word>& directive, const char* argument,
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

void CheckSyntaxDirective(const grammar::DockerfileSyntax& syntax,
                          const BuildOptions& options,
                          Diagnostics& diagnostics) {
  std::optional<Setting> setting =
      FindSetting(syntax.syntax_directive, "BUILDKIT_SYNTAX", options);
  if (!setting.has_value()) {
    return;
  }
  absl::string_view image =
      setting->text.substr(0, setting->text.find_first_of(" \t"));
  absl::string_view name = absl::StripPrefix(image, "docker.io/");
  name = name.substr(0, name.find_first_of(":@"));
  if (image.empty() || image == "dockerfile.v0" ||
      name == "docker/dockerfile" || name == "docker/dockerfile-upstream") {
    return;
  }
  diagnostics.Add(
      {.severity = Severity::kWarning,
       .code = "foreign-syntax",
       .range = setting->Place(image),
       .message = absl::StrCat("the front end `", image,
                               "` is not run; the file is read as a Dockerfile",
                               DidYouMean(name, {"docker/dockerfile"}))});
}

}  // namespace lamina::frontend
