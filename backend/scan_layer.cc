#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/layer_view.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {

using ir::Entry;
using ir::EntryType;

absl::StatusOr<ir::StepDiff> ScanLayer(ByteSource& tar) {
  TarReader reader(tar);
  std::map<std::pair<std::string, bool>, Entry> entries;
  while (true) {
    Entry entry;
    ASSIGN_OR_RETURN(bool more, reader.Next(entry));
    if (!more) {
      break;
    }
    ASSIGN_OR_RETURN(bool used, InterpretWhiteout(entry));
    if (used) {
      // The last of several members of one name counts; a deletion and a
      // member may share it.
      bool deletion = entry.type == EntryType::kWhiteout ||
                      entry.type == EntryType::kOpaque;
      if (entry.type == EntryType::kHardLink) {
        entry.link = CleanPath(absl::StrCat("/", entry.link)).substr(1);
      }
      entries.insert_or_assign({entry.path, deletion}, entry);
    }
  }
  RETURN_IF_ERROR(reader.Drain());
  ir::StepDiff diff;
  for (auto& [key, entry] : entries) {
    diff.entries.push_back(std::move(entry));
  }
  ir::SortEntries(diff);
  OrderHardLinks(diff);
  return diff;
}

}  // namespace lamina::backend
