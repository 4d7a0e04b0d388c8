// lamina builder prune
#include <unistd.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kFlags[] = {
    {.name = "all",
     .short_name = 'a',
     .help = "steps that images share layers with too"},
    {.name = "force", .short_name = 'f', .help = "do not ask"},
    kRootFlag,
};

// Only a terminal is asked: a script says -f.
absl::StatusOr<bool> Confirm(bool all) {
  if (isatty(STDIN_FILENO) != 1) {
    return UsageError("stdin is no terminal that could be asked; use -f");
  }
  RETURN_IF_ERROR(
      WriteAll(STDERR_FILENO,
               absl::StrCat("This removes the cache of ",
                            all ? "all steps." : "steps that no image uses.",
                            " Continue? [y/N] ")));
  char answer[64];
  const ssize_t size = read(STDIN_FILENO, answer, sizeof answer);
  return size > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

absl::StatusOr<int> Run(const Invocation& invocation) {
  const bool all = invocation.GetBool("all");
  if (!invocation.GetBool("force")) {
    ASSIGN_OR_RETURN(const bool yes, Confirm(all));
    if (!yes) {
      return 1;
    }
  }
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreForReading(StoreRoot(invocation.Get("root"))));
  uint64_t freed = 0;
  if (store != nullptr) {
    ASSIGN_OR_RETURN(freed, store->Prune(all));
  }
  RETURN_IF_ERROR(PrintResult(
      absl::StrCat("Total reclaimed space: ", HumanSize(freed), "\n")));
  return 0;
}

}  // namespace

constinit const Command kBuilderPrune = {
    .name = "builder prune",
    .group = "Storage",
    .summary = "remove the cache of build steps",
    .usage = "[FLAGS]",
    .flags = kFlags,
    .run = Run,
};

}  // namespace lamina::cli
