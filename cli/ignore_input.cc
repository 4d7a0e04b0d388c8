#include "cli/ignore_input.h"

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/command.h"

namespace lamina::cli {
namespace {

absl::StatusOr<ir::IgnoreMatcher> ReadIgnoreFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, 16 << 20));
  absl::StatusOr<ir::IgnoreMatcher> matcher =
      ir::IgnoreMatcher::ParseFile(text);
  if (!matcher.ok()) {
    return UserError(absl::StrCat(path, ": ", matcher.status().message()));
  }
  return matcher;
}

}  // namespace

absl::StatusOr<ir::IgnoreMatcher> FindIgnores(const std::string& named,
                                              const std::string& build_file,
                                              const std::string& folder) {
  if (!named.empty()) {
    return ReadIgnoreFile(named);
  }
  for (const std::string& path :
       {build_file.empty() ? "" : absl::StrCat(build_file, ".dockerignore"),
        JoinPath(folder, ".containerignore"),
        JoinPath(folder, ".dockerignore")}) {
    if (!path.empty() && FileExists(path)) {
      return ReadIgnoreFile(path);
    }
  }
  return ir::IgnoreMatcher();
}

}  // namespace lamina::cli
