// The merged file system of a stack of layers, without any file system.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/layout/step_diff.h"

namespace lamina::ir {

// Metadata of the whole tree S_j. Folding follows the OCI image-spec,
// layer.md: whiteouts and opaque markers act on the layers below only.
class Tree {
 public:
  // An entry and the number of the layer (0 is the bottom) it came from. A
  // hard link is a file entry here whose `link` names the path with the bytes;
  // when that path goes, the first of its other names takes its part.
  struct Item {
    Entry entry;
    uint32_t layer = 0;
  };

  Tree() = default;
  // Adds one more layer on top.
  void Apply(const StepDiff& diff);

  // The item at a clean relative path, symlinks not followed; null if absent.
  const Item* Find(const std::string& path) const;

  // Resolves `path` inside the tree: symlinks are followed as the kernel would
  // inside a chroot, for the last component too if `follow_last`. The result
  // is a clean relative path; it need not exist, but each folder above it that
  // exists was resolved. Errors: more than 40 symlinks, a file on the way.
  absl::StatusOr<std::string> Resolve(const std::string& path,
                                      bool follow_last) const;

  // Paths directly or anywhere below `folder` ("" is the root), in the order
  // of the layer tar.
  std::vector<const Item*> Below(const std::string& folder) const;
  std::vector<const Item*> Children(const std::string& folder) const;

  uint32_t layer_count() const { return layers_; }
  // All paths in the order of the layer tar (PathLess).
  using Items = std::map<std::string, Item, PathLess>;
  const Items& items() const { return items_; }

 private:
  void Delete(const StepDiff& diff);
  void Add(const Entry& entry);
  bool FillHardLink(Entry& entry);
  std::string Place(const std::string& path) const;
  void MakeParents(const std::string& path);
  void Erase(const std::string& path, bool keep_self);
  void Unlink(const Entry& entry);

  Items items_;
  // The other names of a file, by the path that has the bytes.
  std::map<std::string, std::set<std::string>> names_;
  uint32_t layers_ = 0;
};

}  // namespace lamina::ir
