// Which package each path belongs to, as the package managers' own records say
// (optimiser.md 6.1).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lamina::ir {

// The text of a file of the final tree by its clean relative path; nothing if
// it cannot be read. The one window of the planners onto contents.
using ReadText =
    std::function<std::optional<std::string>(const std::string& path)>;

// Owners of those `paths` (of the final tree, in entry order) that belong to
// exactly one package: "deb:libc6", "apk:musl", "pip:flask", "npm:@types/node",
// "gem:rake", "go:golang.org/x/sys". Without `read`, only what the paths say
// themselves.
std::map<std::string, std::string, std::less<>> FindOwners(
    const std::vector<std::string>& paths, const ReadText& read);

// Files that change with any package, such as var/lib/dpkg/status: mixed into
// other layers they would change those too (optimiser.md 6.4).
bool IsIndexFile(absl::string_view path);

}  // namespace lamina::ir
