#include "cli/store_access.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::cli {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The sandbox changes its working folder.
std::string Absolute(const std::string& path) {
  char folder[PATH_MAX];
  return path[0] == '/' || getcwd(folder, sizeof folder) == nullptr
             ? path
             : JoinPath(folder, path);
}

}  // namespace

std::string StoreRoot(absl::string_view flag) {
  if (!flag.empty()) {
    return Absolute(std::string(flag));
  }
  if (const std::string root = Variable("LAMINA_ROOT"); !root.empty()) {
    return Absolute(root);
  }
  if (geteuid() == 0) {
    return "/var/lib/lamina";
  }
  if (const std::string data = Variable("XDG_DATA_HOME"); !data.empty()) {
    return JoinPath(data, "lamina");
  }
  return JoinPath(Variable("HOME"), ".local/share/lamina");
}

absl::StatusOr<std::unique_ptr<backend::Store>> OpenStore(
    const Invocation& invocation, backend::Durability durability) {
  return backend::Store::Open(StoreRoot(invocation.Get("root")), durability);
}

absl::StatusOr<std::unique_ptr<backend::Store>> OpenStoreForReading(
    const std::string& root) {
  if (!backend::Store::Exists(root)) {
    return nullptr;
  }
  return backend::Store::OpenReadOnly(root);
}

absl::StatusOr<std::unique_ptr<backend::Store>> OpenStoreWith(
    const Invocation& invocation, absl::string_view what,
    absl::string_view name) {
  const std::string root = StoreRoot(invocation.Get("root"));
  if (!backend::Store::Exists(root)) {
    return UserError(absl::StrCat("no ", what, " named `", name,
                                  "`; there is no store at `", root, "` yet"));
  }
  return backend::Store::Open(root, backend::Durability::kImage);
}

absl::StatusOr<backend::Image> FindImage(backend::Store& store,
                                         absl::string_view name) {
  absl::StatusOr<backend::Image> image = store.FindImage(name);
  if (!image.ok() && (absl::IsNotFound(image.status()) ||
                      absl::IsInvalidArgument(image.status()))) {
    return WithExitCode(image.status(), 1);
  }
  return image;
}

}  // namespace lamina::cli
