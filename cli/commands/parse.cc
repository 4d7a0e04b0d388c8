// lamina parse: what the parser read, for people and for comparisons.
#include <cstdio>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/sarif.h"
#include "base/source.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/error_format.h"
#include "frontend/lower.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::cli {
namespace {

constexpr Flag kParseFlags[] = {
    {.name = "format", .value = "text|json",
     .help = "text: the build file in one layout; json: one object a file",
     .default_value = "text"},
    kErrorFormatFlag,
};

// A file and what was found in it.
struct ParsedFile {
  SourceFile source;
  Diagnostics diagnostics;
};

void Report(const std::deque<ParsedFile>& files, const RenderOptions& render) {
  std::string text;
  std::vector<FileDiagnostics> found;
  for (const ParsedFile& file : files) {
    found.push_back({file.diagnostics, file.source});
    if (render.format != ErrorFormat::kSarif) {
      text += Render(file.diagnostics, file.source, render);
    }
  }
  if (render.format == ErrorFormat::kSarif) {
    text = RenderSarif(found, render.version);
  }
  fwrite(text.data(), 1, text.size(), stderr);
}

// Prints one file on stdout: as one object, which says whether the file is
// valid and why not, or as text when it is.
absl::Status PrintParsed(const grammar::DockerfileSyntax& syntax,
                         const std::string& format, ParsedFile& file) {
  if (format == "json") {
    return PrintResult(absl::StrCat(
        frontend::DescribeDockerfile(syntax, file.source, file.diagnostics),
        "\n"));
  }
  return file.diagnostics.has_errors()
             ? absl::OkStatus()
             : PrintResult(grammar::PrintDockerfile(syntax));
}

absl::StatusOr<int> RunParse(const Invocation& invocation) {
  std::string format = invocation.Get("format");
  if (format != "text" && format != "json") {
    return UsageError(
        absl::StrCat("--format is text or json, not `", format, "`"));
  }
  ASSIGN_OR_RETURN(RenderOptions render, ReadRenderOptions(invocation));
  bool sarif = render.format == ErrorFormat::kSarif;
  bool failed = false;
  std::vector<grammar::KeywordShape> keywords = frontend::DockerfileKeywords();
  std::deque<ParsedFile> files;
  for (const std::string& name : invocation.words()) {
    absl::StatusOr<std::string> text = ReadFile(name, 64 << 20);
    if (!text.ok()) {
      return UserError(text.status().message());
    }
    files.push_back({SourceFile(name, *std::move(text)), Diagnostics()});
    ParsedFile& file = files.back();
    grammar::DockerfileSyntax syntax =
        grammar::ParseDockerfile(file.source, keywords, file.diagnostics);
    absl::Status printed = PrintParsed(syntax, format, file);
    file.diagnostics.Sort();
    failed = failed || (format == "text" && file.diagnostics.has_errors());
    if (!sarif) {
      if (format == "text") {
        Report(files, render);
      }
      files.clear();
    }
    RETURN_IF_ERROR(printed);
  }
  if (sarif) {
    Report(files, render);
  }
  return failed ? 1 : 0;
}

}  // namespace

extern const Command kParse = {
    .name = "parse",
    .group = "Build",
    .summary = "print what the parser read",
    .usage = "[FLAGS] FILE...",
    .flags = kParseFlags,
    .min_words = 1,
    .max_words = -1,
    .examples = "lamina parse Dockerfile\nlamina parse --format=json */Dockerfile",
    .run = RunParse,
};

}  // namespace lamina::cli
