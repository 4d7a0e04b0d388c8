// All layers of an image as one file system, ready to be copied out.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "backend/store/store.h"
#include "base/files.h"
#include "ir/layout/tree.h"

namespace lamina::backend {

class MergedTree {
 public:
  // Unpacks the layers that are not unpacked yet.
  static absl::StatusOr<MergedTree> Open(const Image& image, Store& store);

  // In the order of a tar. Files that share one inode: the first name is the
  // file, the others are hard links to it.
  const std::vector<ir::Entry>& entries() const { return entries_; }
  // The bytes of a file entry.
  absl::StatusOr<UniqueFd> OpenFile(const ir::Entry& entry) const;

 private:
  void ListEntries();
  ir::Tree tree_;
  std::vector<UniqueFd> layers_;  // Folders, bottom to top.
  std::vector<ir::Entry> entries_;
};

}  // namespace lamina::backend
