#include "backend/layer_view.h"

#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

constexpr int kMaxSymlinks = 40;  // As the kernel.

}  // namespace

const Entry* LayerView::Find(const std::string& path) const {
  auto own = entries.find(path);
  if (own != entries.end()) {
    return &own->second;
  }
  const ir::Tree::Item* item = FindBelow(path);
  return item != nullptr ? &item->entry : nullptr;
}

const ir::Tree::Item* LayerView::FindBelow(const std::string& path) const {
  const ir::Tree::Item* item = below_.Find(path);
  return item != nullptr && !IsHidden(path) ? item : nullptr;
}

bool LayerView::HasFolder(const std::string& path) const {
  auto own = entries.find(path);
  return path.empty() ||
         (own != entries.end() && own->second.type == EntryType::kDirectory);
}

bool LayerView::IsHidden(const std::string& path) const {
  return deleted.contains(path) || IsBelowDeletion(path);
}

bool LayerView::IsBelowDeletion(const std::string& path) const {
  for (std::string above = path; !above.empty();) {
    above = std::string(DirName(above));
    auto own = entries.find(above);
    bool replaced =
        own != entries.end() && own->second.type != EntryType::kDirectory;
    if (replaced || deleted.contains(above) || opaque.contains(above)) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<std::string> LayerView::Resolve(absl::string_view path,
                                               bool follow_last) const {
  std::deque<std::string> left = absl::StrSplit(path, '/', absl::SkipEmpty());
  std::string at;
  int symlinks = 0;
  while (!left.empty()) {
    std::string name = std::move(left.front());
    left.pop_front();
    if (name == "." || name == "..") {
      at = name == "." ? at : std::string(DirName(at));
      continue;
    }
    at = ChildPath(at, name);
    const Entry* entry = Find(at);
    if (entry == nullptr || entry->type != EntryType::kSymlink ||
        (left.empty() && !follow_last)) {
      continue;
    }
    if (++symlinks > kMaxSymlinks) {
      return absl::FailedPreconditionError("more than 40 symlinks");
    }
    const std::string& target = entry->link;
    at = target[0] == '/' ? "" : std::string(DirName(at));
    std::vector<std::string> parts =
        absl::StrSplit(target, '/', absl::SkipEmpty());
    left.insert(left.begin(), parts.begin(), parts.end());
  }
  return at;
}

absl::StatusOr<std::string> LayerView::Place(const std::string& path) const {
  std::string parent(DirName(path));
  if (HasFolder(parent)) {
    return path;
  }
  ASSIGN_OR_RETURN(std::string folder, Resolve(parent, true));
  return ChildPath(folder, BaseName(path));
}

std::string ChildPath(const std::string& folder, absl::string_view name) {
  return folder.empty() ? std::string(name) : absl::StrCat(folder, "/", name);
}

// Makes the first name of each group of hard links the one with the bytes.
void OrderHardLinks(ir::StepDiff& diff) {
  std::map<std::string, size_t> files;  // Those with links before them, too.
  std::map<std::string, std::string> moved;
  for (size_t i = 0; i < diff.entries.size(); ++i) {
    if (diff.entries[i].type == EntryType::kFile) {
      files[diff.entries[i].path] = i;
    }
  }
  for (size_t i = 0; i < diff.entries.size(); ++i) {
    Entry& link = diff.entries[i];
    if (link.type != EntryType::kHardLink) {
      continue;
    }
    if (auto first = moved.find(link.link); first != moved.end()) {
      link.link = first->second;
      continue;
    }
    auto file = files.find(link.link);
    if (file == files.end() || file->second < i) {
      continue;
    }
    Entry& target = diff.entries[file->second];
    moved[target.path] = link.path;
    std::swap(link.type, target.type);
    std::swap(link.size, target.size);
    std::swap(link.digest, target.digest);
    target.link = link.path;
    link.link.clear();
  }
}

}  // namespace lamina::backend
