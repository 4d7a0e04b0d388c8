#include "backend/formats/merged_tree.h"

#include <fcntl.h>

#include <map>
#include <string>

#include "backend/formats/formats.h"
#include "base/status.h"

namespace lamina::backend {

absl::StatusOr<MergedTree> MergedTree::Open(const Image& image, Store& store) {
  MergedTree merged;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    std::vector<LayerId> below(image.layers.begin(), image.layers.begin() + i);
    ASSIGN_OR_RETURN(std::string folder,
                     EnsureUnpacked(image.layers[i], below, store));
    ASSIGN_OR_RETURN(UniqueFd fd,
                     lamina::OpenFile(folder, O_PATH | O_DIRECTORY));
    merged.layers_.push_back(std::move(fd));
    ASSIGN_OR_RETURN(ir::StepDiff diff, store.ReadDiff(image.layers[i]));
    merged.tree_.Apply(diff);
  }
  merged.ListEntries();
  return merged;
}

void MergedTree::ListEntries() {
  if (const ir::Tree::Item* root = tree_.Find("")) {
    entries_.push_back(root->entry);
  }
  // By the name that has the bytes.
  std::map<std::string, std::string> first_names;
  for (const ir::Tree::Item* item : tree_.Below("")) {
    if (item->entry.path.empty()) {
      continue;
    }
    ir::Entry entry = item->entry;
    if (entry.type == ir::EntryType::kFile) {
      std::string inode = entry.link.empty() ? entry.path : entry.link;
      entry.link.clear();
      auto [first, is_new] = first_names.try_emplace(inode, entry.path);
      if (!is_new) {
        entry.type = ir::EntryType::kHardLink;
        entry.link = first->second;
        entry.size = 0;
      }
    }
    entries_.push_back(std::move(entry));
  }
}

absl::StatusOr<UniqueFd> MergedTree::OpenFile(const ir::Entry& entry) const {
  const ir::Tree::Item* item = tree_.Find(entry.path);
  CHECK(item != nullptr && item->layer < layers_.size());
  return OpenBeneath(layers_[item->layer].get(), entry.path,
                     O_RDONLY | O_NOFOLLOW);
}

}  // namespace lamina::backend
