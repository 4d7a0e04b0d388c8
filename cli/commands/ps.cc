// lamina ps: containers.
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/image_text.h"
#include "cli/list_format.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kFlags[] = {
    {.name = "all", .short_name = 'a', .help = "ended ones too"},
    {.name = "quiet", .short_name = 'q', .help = "ids only"},
    {.name = "no-trunc", .help = "do not shorten ids and commands"},
    kListFormatFlag,
    kRootFlag,
};

// A container whose process died with the machine is recorded as running.
bool IsRunning(const backend::Container& container) {
  return container.state == "running" && container.pid > 0 &&
         (kill(container.pid, 0) == 0 || errno == EPERM);
}

std::string Status(const backend::Container& container, int64_t now) {
  if (IsRunning(container)) {
    return absl::StrCat("Up ", HumanDuration(now - container.created));
  }
  if (container.state == "created") {
    return "Created";
  }
  return absl::StrCat("Exited (", container.exit_code, ")");
}

absl::StatusOr<int> RunPs(const Invocation& invocation) {
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreForReading(StoreRoot(invocation.Get("root"))));
  std::vector<backend::Container> containers;
  if (store != nullptr) {
    ASSIGN_OR_RETURN(containers, store->ListContainers());
  }
  std::stable_sort(
      containers.begin(), containers.end(),
      [](const auto& a, const auto& b) { return a.created > b.created; });
  bool full = invocation.GetBool("no-trunc");
  int64_t now = Now();
  List list;
  list.name = "containers";
  list.columns = {{"ID", "CONTAINER ID"},   {"Image", "IMAGE"},
                  {"Command", "COMMAND"},   {"RunningFor", "CREATED"},
                  {"Status", "STATUS"},     {"Names", "NAMES"}};
  std::string ids;
  for (const backend::Container& container : containers) {
    if (!invocation.GetBool("all") && !IsRunning(container)) {
      continue;
    }
    std::string id = full ? container.id : container.id.substr(0, 12);
    absl::StrAppend(&ids, id, "\n");
    absl::StatusOr<Json> args = ParseJson(container.command);
    std::string command =
        args.ok() ? absl::StrJoin(args->strings(), " ") : container.command;
    list.rows.push_back(
        {id, container.image_name,
         absl::StrCat("\"", full ? command : Ellipsis(command, 20), "\""),
         HumanAge(now - container.created), Status(container, now),
         container.name});
  }
  if (invocation.GetBool("quiet")) {
    RETURN_IF_ERROR(PrintResult(ids));
    return 0;
  }
  ASSIGN_OR_RETURN(std::string text,
                   FormatList(list, invocation.Get("format")));
  RETURN_IF_ERROR(PrintResult(text));
  return 0;
}

}  // namespace

extern const Command kPs = {
    .name = "ps",
    .group = "Containers",
    .summary = "list containers",
    .usage = "[FLAGS]",
    .flags = kFlags,
    .examples = "lamina ps -a",
    .run = RunPs,
};

}  // namespace lamina::cli
