// lamina parse: what the parser read, for people and for comparisons.
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/source.h"
#include "base/status.h"
#include "cli/command.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::cli {
namespace {

constexpr Flag kFlags[] = {
    {.name = "format", .value = "text|json",
     .help = "text: the build file in one layout; json: one object a file",
     .default_value = "text"},
};

absl::StatusOr<int> RunParse(const Invocation& invocation) {
  std::string format = invocation.Get("format");
  if (format != "text" && format != "json") {
    return UsageError(
        absl::StrCat("--format is text or json, not `", format, "`"));
  }
  bool failed = false;
  std::vector<grammar::KeywordShape> keywords = frontend::DockerfileKeywords();
  for (const std::string& name : invocation.words()) {
    absl::StatusOr<std::string> text = ReadFile(name, 64 << 20);
    if (!text.ok()) {
      return UserError(text.status().message());
    }
    SourceFile source(name, *std::move(text));
    Diagnostics diagnostics;
    grammar::DockerfileSyntax syntax =
        grammar::ParseDockerfile(source, keywords, diagnostics);
    if (format == "json") {
      // The object says whether the file is valid, and why not.
      RETURN_IF_ERROR(PrintResult(absl::StrCat(
          frontend::DescribeDockerfile(syntax, source, diagnostics), "\n")));
      continue;
    }
    diagnostics.Sort();
    std::string rendered = Render(diagnostics, source, {});
    fwrite(rendered.data(), 1, rendered.size(), stderr);
    failed = failed || diagnostics.has_errors();
    if (!diagnostics.has_errors()) {
      RETURN_IF_ERROR(PrintResult(grammar::PrintDockerfile(syntax)));
    }
  }
  return failed ? 1 : 0;
}

}  // namespace

extern const Command kParse = {
    .name = "parse",
    .group = "Build",
    .summary = "print what the parser read",
    .usage = "[FLAGS] FILE...",
    .flags = kFlags,
    .min_words = 1,
    .max_words = -1,
    .examples = "lamina parse Dockerfile\nlamina parse --format=json */Dockerfile",
    .run = RunParse,
};

}  // namespace lamina::cli
