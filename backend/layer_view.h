// A layer that is being read, on top of the tree below it.
#pragma once

#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/layout/step_diff.h"
#include "ir/layout/tree.h"

namespace lamina::backend {

// What exists while the members of a layer come in one by one. All paths are
// clean and real: no component above the last is a symlink.
class LayerView {
 public:
  explicit LayerView(const ir::Tree& below) : below_(below) {}

  // What `path` is now: of this layer, or of the tree below if this layer does
  // not hide it; null when it does not exist.
  const ir::Entry* Find(const std::string& path) const;
  // The item below, if this layer does not hide it.
  const ir::Tree::Item* FindBelow(const std::string& path) const;
  // True when this layer takes `path` of the layers below away.
  bool IsHidden(const std::string& path) const;
  // True when it takes a folder above `path` away.
  bool IsBelowDeletion(const std::string& path) const;
  // True when this layer has a folder at `path`; it always has its root.
  bool HasFolder(const std::string& path) const;

  // ir::Tree::Resolve on the two together.
  absl::StatusOr<std::string> Resolve(absl::string_view path,
                                      bool follow_last) const;
  // Follows the symlinks above the last component of `path`.
  absl::StatusOr<std::string> Place(const std::string& path) const;

  std::map<std::string, ir::Entry, ir::PathLess> entries;  // Made so far.
  std::set<std::string> deleted;
  std::set<std::string> opaque;

 private:
  const ir::Tree& below_;
};

// "folder/name", and "name" in the root.
std::string ChildPath(const std::string& folder, absl::string_view name);

// Makes the first name of each group of hard links the one with the bytes.
void OrderHardLinks(ir::StepDiff& diff);

}  // namespace lamina::backend
