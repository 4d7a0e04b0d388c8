// lamina builder prune: forgets cached steps and frees what they alone need.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kBuilderPruneFlags[] = {
    {.name = "all", .short_name = 'a',
     .help = "also steps whose layers an image uses"},
    {.name = "force", .short_name = 'f', .help = "do not ask"},
    kRootFlag,
};

bool Confirmed() {
  fputs("This removes cached build steps. Continue? [y/N] ", stderr);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

absl::StatusOr<int> RunBuilderPrune(const Invocation& invocation) {
  if (!invocation.GetBool("force") && isatty(STDIN_FILENO) && !Confirmed()) {
    return 1;
  }
  uint64_t freed = 0;
  if (backend::Store::Exists(StoreRoot(invocation.Get("root")))) {
    ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                     OpenStore(invocation));
    ASSIGN_OR_RETURN(freed, store->Prune(invocation.GetBool("all")));
  }
  RETURN_IF_ERROR(PrintResult(
      absl::StrCat("Total reclaimed space: ", HumanSize(freed), "\n")));
  return 0;
}

}  // namespace

extern const Command kBuilderPrune = {
    .name = "builder prune",
    .group = "Storage",
    .summary = "forget cached steps and free their space",
    .usage = "[FLAGS]",
    .flags = kBuilderPruneFlags,
    .examples = "lamina builder prune -a -f",
    .run = RunBuilderPrune,
};

}  // namespace lamina::cli
