#include "backend/layer_stacks.h"

#include <algorithm>
#include <utility>

#include "backend/formats/formats.h"
#include "backend/source_tree.h"
#include "base/status.h"

namespace lamina::backend {

absl::StatusOr<const ir::Tree*> LayerStacks::Fold(
    const std::string& user, const std::vector<LayerId>& layers) {
  Folded* folded = nullptr;
  {
    std::lock_guard lock(mutex_);
    std::unique_ptr<Folded>& slot = folded_[user];
    if (slot == nullptr) {
      slot = std::make_unique<Folded>();
    }
    folded = slot.get();
  }
  bool extends = folded->layers.size() <= layers.size() &&
                 std::equal(folded->layers.begin(), folded->layers.end(),
                            layers.begin());
  if (!extends) {
    *folded = Folded();
  }
  for (size_t i = folded->layers.size(); i < layers.size(); ++i) {
    ASSIGN_OR_RETURN(ir::StepDiff diff, store_.ReadDiff(layers[i]));
    folded->tree.Apply(diff);
    folded->layers.push_back(layers[i]);
  }
  return &folded->tree;
}

absl::StatusOr<std::vector<std::string>> LayerStacks::Folders(
    const std::vector<LayerId>& layers) {
  std::lock_guard lock(mutex_);
  std::vector<std::string> folders;
  std::vector<LayerId> below;
  for (LayerId layer : layers) {
    auto known = folders_.find(layer);
    if (known == folders_.end()) {
      ASSIGN_OR_RETURN(std::string folder,
                       EnsureUnpacked(layer, below, store_));
      known = folders_.emplace(layer, std::move(folder)).first;
    }
    folders.push_back(known->second);
    below.push_back(layer);
  }
  return folders;
}

ReadText LayerStacks::TextReader(const std::vector<LayerId>& layers,
                                 const ir::Tree& tree) {
  return [this, &layers,
          &tree](const std::string& path) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(std::string real, tree.Resolve(path, true));
    const ir::Tree::Item* item = tree.Find(real);
    if (item == nullptr || item->entry.type != ir::EntryType::kFile) {
      return std::string();
    }
    ASSIGN_OR_RETURN(std::vector<std::string> folders, Folders(layers));
    ASSIGN_OR_RETURN(UniqueFd fd, OpenLayerTree(tree, folders).open(real));
    return ReadAll(fd.get(), 10 << 20);
  };
}

}  // namespace lamina::backend
