#include "cli/ignore_input.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/sarif.h"
#include "base/status.h"

namespace lamina::cli {
namespace {

absl::StatusOr<ir::IgnoreMatcher> ReadIgnoreFile(
    const std::string& path, std::vector<FileMistakes>& mistakes) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, 16 << 20));
  SourceFile file(std::string(absl::StripPrefix(path, "./")), std::move(text));
  Diagnostics diagnostics;
  ir::IgnoreMatcher matcher = ir::IgnoreMatcher::ParseFile(file, diagnostics);
  if (diagnostics.has_errors()) {
    mistakes.emplace_back(std::move(file), std::move(diagnostics));
  }
  return matcher;
}

}  // namespace

absl::StatusOr<ir::IgnoreMatcher> FindIgnores(
    const std::string& named, const std::string& build_file,
    const std::string& folder, std::vector<FileMistakes>& mistakes) {
  if (!named.empty()) {
    return ReadIgnoreFile(named, mistakes);
  }
  for (const std::string& path :
       {build_file.empty() ? "" : absl::StrCat(build_file, ".dockerignore"),
        JoinPath(folder, ".containerignore"),
        JoinPath(folder, ".dockerignore")}) {
    if (!path.empty() && FileExists(path)) {
      return ReadIgnoreFile(path, mistakes);
    }
  }
  return ir::IgnoreMatcher();
}

std::string RenderFileMistakes(const std::vector<FileMistakes>& mistakes,
                               const RenderOptions& options) {
  std::vector<FileDiagnostics> files;
  std::string text;
  for (const auto& [file, diagnostics] : mistakes) {
    files.push_back({diagnostics, file});
    text += Render(diagnostics, file, options);
  }
  return options.format == ErrorFormat::kSarif
             ? RenderSarif(files, options.version)
             : text;
}

}  // namespace lamina::cli
