// lamina rm
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/container_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kRmFlags[] = {
    {.name = "force",
     .short_name = 'f',
     .help = "stop running containers; missing ones are fine"},
    kRootFlag,
};

// Killed, not asked: the sandbox dies with the process that runs it.
absl::Status Stop(const backend::Container& container) {
  if (kill(container.pid, SIGKILL) != 0) {
    return ErrnoError(absl::StrCat("cannot stop `", container.name, "`"));
  }
  constexpr int kAttempts = 500;
  for (int i = 0; i < kAttempts && IsRunning(container); ++i) {
    usleep(10'000);
  }
  return absl::OkStatus();
}

absl::Status Remove(const std::string& name, bool force,
                    backend::Store& store) {
  ASSIGN_OR_RETURN(backend::Container container, FindContainer(store, name));
  if (IsRunning(container)) {
    if (!force) {
      return UserError(absl::StrCat("container `", name,
                                    "` is running; stop it, or force with -f"));
    }
    RETURN_IF_ERROR(Stop(container));
  }
  return store.RemoveContainer(container.id);
}

absl::StatusOr<int> RunRm(const Invocation& invocation) {
  ASSIGN_OR_RETURN(
      std::unique_ptr<backend::Store> store,
      OpenStoreWith(invocation, "container", invocation.words()[0]));
  const bool force = invocation.GetBool("force");
  int code = 0;
  for (const std::string& name : invocation.words()) {
    const absl::Status status = Remove(name, force, *store);
    if (status.ok()) {
      RETURN_IF_ERROR(PrintResult(absl::StrCat(name, "\n")));
    } else if (!force || !absl::IsNotFound(status)) {
      PrintError(status.message());
      code = std::max(code, ExitCodeOf(status));
    }
  }
  return code;
}

}  // namespace

constinit const Command kRm = {
    .name = "rm",
    .group = "Containers",
    .summary = "remove containers",
    .usage = "[FLAGS] CONTAINER...",
    .flags = kRmFlags,
    .min_words = 1,
    .max_words = -1,
    .words = Words::kContainers,
    .run = RunRm,
};

}  // namespace lamina::cli
