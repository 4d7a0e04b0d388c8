// lamina system df: what the store holds.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/list_format.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kSystemDfFlags[] = {kListFormatFlag, kRootFlag};

absl::StatusOr<int> RunSystemDf(const Invocation& invocation) {
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreForReading(StoreRoot(invocation.Get("root"))));
  List list;
  list.name = "usage";
  list.columns = {{"Type", "TYPE"},
                  {"TotalCount", "TOTAL"},
                  {"Active", "ACTIVE"},
                  {"Size", "SIZE"},
                  {"Reclaimable", "RECLAIMABLE"}};
  if (store != nullptr) {
    ASSIGN_OR_RETURN(backend::DiskUsage usage, store->Usage());
    for (const backend::DiskUsage::Row& row : usage.rows) {
      list.rows.push_back({row.type, absl::StrCat(row.count),
                           absl::StrCat(row.active), HumanSize(row.size),
                           HumanSize(row.reclaimable)});
    }
  }
  ASSIGN_OR_RETURN(std::string text,
                   FormatList(list, invocation.Get("format")));
  RETURN_IF_ERROR(PrintResult(text));
  return 0;
}

}  // namespace

extern const Command kSystemDf = {
    .name = "system df",
    .group = "Storage",
    .summary = "show what the store holds",
    .usage = "[FLAGS]",
    .flags = kSystemDfFlags,
    .examples = "lamina system df",
    .run = RunSystemDf,
};

}  // namespace lamina::cli
