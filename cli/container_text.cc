#include "cli/container_text.h"

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/image_text.h"
#include "cli/list_format.h"

namespace lamina::cli {

bool IsRunning(const backend::Container& container) {
  if (container.state != "running" || container.pid <= 0) {
    return false;
  }
  // The number may belong to another program by now.
  const absl::StatusOr<std::string> theirs =
      ReadFile(absl::StrCat("/proc/", container.pid, "/comm"));
  const absl::StatusOr<std::string> ours = ReadFile("/proc/self/comm");
  return theirs.ok() && ours.ok() && *theirs == *ours;
}

std::string ContainerStatus(const backend::Container& container) {
  if (IsRunning(container)) {
    return absl::StrCat("Up ", HumanDuration(Now() - container.created));
  }
  if (container.state == "created") {
    return "Created";
  }
  if (container.state == "exited") {
    return absl::StrCat("Exited (", container.exit_code, ")");
  }
  return "Dead";
}

absl::StatusOr<backend::Container> FindContainer(backend::Store& store,
                                                 absl::string_view name) {
  absl::StatusOr<backend::Container> container = store.FindContainer(name);
  if (!container.ok() && (absl::IsNotFound(container.status()) ||
                          absl::IsInvalidArgument(container.status()))) {
    return WithExitCode(container.status(), 1);
  }
  return container;
}

}  // namespace lamina::cli
