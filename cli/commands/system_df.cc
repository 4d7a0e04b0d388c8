// lamina system df
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/list_format.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kFlags[] = {kListFormatFlag, kRootFlag};

std::string Reclaimable(const backend::DiskUsage::Row& row) {
  if (row.size == 0) {
    return HumanSize(row.reclaimable);
  }
  return absl::StrFormat("%s (%d%%)", HumanSize(row.reclaimable),
                         static_cast<int>(100.0 * row.reclaimable / row.size));
}

absl::StatusOr<int> Run(const Invocation& invocation) {
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreForReading(StoreRoot(invocation.Get("root"))));
  backend::DiskUsage usage;
  if (store != nullptr) {
    ASSIGN_OR_RETURN(usage, store->Usage());
  } else {
    for (const char* type : {"Images", "Containers", "Build cache"}) {
      usage.rows.push_back({.type = type});
    }
  }
  List list = {.name = "usage",
               .columns = {{"Type", "TYPE"},
                           {"TotalCount", "TOTAL"},
                           {"Active", "ACTIVE"},
                           {"Size", "SIZE"},
                           {"Reclaimable", "RECLAIMABLE"}}};
  for (const backend::DiskUsage::Row& row : usage.rows) {
    list.rows.push_back({row.type, absl::StrCat(row.count),
                         absl::StrCat(row.active), HumanSize(row.size),
                         Reclaimable(row)});
  }
  ASSIGN_OR_RETURN(std::string text,
                   FormatList(list, invocation.Get("format")));
  RETURN_IF_ERROR(PrintResult(text));
  return 0;
}

}  // namespace

constinit const Command kSystemDf = {
    .name = "system df",
    .group = "Storage",
    .summary = "show what the store holds",
    .usage = "[FLAGS]",
    .flags = kFlags,
    .run = Run,
};

}  // namespace lamina::cli
