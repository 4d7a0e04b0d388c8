// lamina ps
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/container_text.h"
#include "cli/image_text.h"
#include "cli/list_format.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr size_t kIdWidth = 12;
constexpr size_t kCommandWidth = 20;  // As docker cuts it.

constexpr Flag kPsFlags[] = {
    {.name = "all", .short_name = 'a', .help = "stopped containers too"},
    kListFormatFlag,
    {.name = "no-trunc", .help = "whole ids and commands"},
    {.name = "quiet", .short_name = 'q', .help = "ids only"},
    kRootFlag,
};

std::string CommandText(const backend::Container& container, bool whole) {
  const absl::StatusOr<Json> command = ParseJson(container.command);
  const std::string text =
      command.ok() ? absl::StrJoin(command->strings(), " ") : "";
  return absl::StrCat("\"", whole ? text : Ellipsis(text, kCommandWidth), "\"");
}

List MakeList(const std::vector<backend::Container>& containers, bool all,
              bool whole) {
  List list = {.name = "containers",
               .columns = {{"ID", "CONTAINER ID"},
                           {"Image", "IMAGE"},
                           {"Command", "COMMAND"},
                           {"RunningFor", "CREATED"},
                           {"CreatedAt", ""},
                           {"Status", "STATUS"},
                           {"State", ""},
                           {"Ports", "PORTS"},
                           {"Names", "NAMES"}}};
  for (const backend::Container& container : containers) {
    if (!all && !IsRunning(container)) {
      continue;
    }
    list.rows.push_back({
        whole ? container.id : container.id.substr(0, kIdWidth),
        container.image_name,
        CommandText(container, whole),
        HumanAge(Now() - container.created),
        ir::FormatTime(container.created),
        ContainerStatus(container),
        container.state,
        "",
        container.name,
    });
  }
  return list;
}

absl::StatusOr<int> RunPs(const Invocation& invocation) {
  std::vector<backend::Container> containers;
  if (backend::Store::Exists(StoreRoot(invocation.Get("root")))) {
    // Opened for writing: that notes which containers have ended.
    ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                     OpenStore(invocation));
    ASSIGN_OR_RETURN(containers, store->ListContainers());
  }
  ASSIGN_OR_RETURN(
      std::string text,
      FormatList(
          MakeList(containers, invocation.GetBool("all"),
                   invocation.GetBool("no-trunc")),
          invocation.GetBool("quiet") ? "{{.ID}}" : invocation.Get("format")));
  RETURN_IF_ERROR(PrintResult(text));
  return 0;
}

}  // namespace

constinit const Command kPs = {
    .name = "ps",
    .group = "Containers",
    .summary = "list containers",
    .usage = "[FLAGS]",
    .flags = kPsFlags,
    .run = RunPs,
};

}  // namespace lamina::cli
