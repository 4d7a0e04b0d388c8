// lamina rm: removes containers.
#include <signal.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kFlags[] = {
    {.name = "force", .short_name = 'f', .help = "end a running one first"},
    kRootFlag,
};

absl::Status RemoveOne(const std::string& name, bool force,
                       backend::Store& store) {
  absl::StatusOr<backend::Container> container = store.FindContainer(name);
  if (!container.ok()) {
    return UserError(container.status().message());
  }
  bool running = container->state == "running" && container->pid > 0 &&
                 (kill(container->pid, 0) == 0 || errno == EPERM);
  if (running && !force) {
    return UserError(absl::StrCat("container `", name,
                                  "` is running; end it first, or use -f"));
  }
  if (running) {
    // Its supervisor dies and takes the whole sandbox with it.
    kill(container->pid, SIGKILL);
  }
  RETURN_IF_ERROR(store.RemoveContainer(container->id));
  return PrintResult(absl::StrCat(name, "\n"));
}

absl::StatusOr<int> RunRm(const Invocation& invocation) {
  ASSIGN_OR_RETURN(
      std::unique_ptr<backend::Store> store,
      OpenStoreWith(invocation, "container", invocation.words()[0]));
  int code = 0;
  for (const std::string& name : invocation.words()) {
    absl::Status status =
        RemoveOne(name, invocation.GetBool("force"), *store);
    if (!status.ok()) {
      PrintError(status.message());
      code = ExitCodeOf(status);
    }
  }
  return code;
}

}  // namespace

extern const Command kRm = {
    .name = "rm",
    .group = "Containers",
    .summary = "remove containers",
    .usage = "[FLAGS] CONTAINER...",
    .flags = kFlags,
    .min_words = 1,
    .max_words = -1,
    .words = Words::kContainers,
    .examples = "lamina rm 3f2a",
    .run = RunRm,
};

}  // namespace lamina::cli
