#include "ir/layout/tree.h"

#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

constexpr int kMaxSymlinks = 40;  // MAXSYMLINKS of the kernel.

std::string Parent(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string Child(const std::string& folder, absl::string_view name) {
  return folder.empty() ? std::string(name) : absl::StrCat(folder, "/", name);
}

bool IsBelow(const std::string& path, const std::string& folder) {
  if (folder.empty()) {
    return !path.empty();
  }
  return path.size() > folder.size() && path[folder.size()] == '/' &&
         path.compare(0, folder.size(), folder) == 0;
}

// Everything below `folder`: one run of neighbours in a map of paths.
template <typename Items>
auto RangeBelow(Items& items, const std::string& folder) {
  auto begin = folder.empty() ? items.begin()
                              : items.lower_bound(absl::StrCat(folder, "/"));
  if (begin != items.end() && begin->first.empty()) {
    ++begin;
  }
  return begin;
}

bool IsDeletion(const Entry& entry) {
  return entry.type == EntryType::kWhiteout || entry.type == EntryType::kOpaque;
}

}  // namespace

void Tree::Apply(const StepDiff& diff) {
  // All deletions first: wherever they stand they act on the layers below.
  Delete(diff);
  std::vector<const Entry*> links;
  for (const Entry& entry : diff.entries) {
    if (entry.type == EntryType::kHardLink) {
      links.push_back(&entry);
    } else if (!IsDeletion(entry)) {
      Add(entry);
    }
  }
  // A link may stand before the file it names, or before another link.
  for (size_t before = links.size() + 1; before > links.size();) {
    before = links.size();
    std::vector<const Entry*> waiting;
    for (const Entry* link : links) {
      Entry file = *link;
      if (FillHardLink(file)) {
        Add(file);
      } else {
        waiting.push_back(link);
      }
    }
    links = std::move(waiting);
    if (links.empty()) {
      break;
    }
  }
  ++layers_;
}

void Tree::Delete(const StepDiff& diff) {
  std::set<std::string> own;
  for (const Entry& entry : diff.entries) {
    if (!IsDeletion(entry)) {
      continue;
    }
    bool opaque = entry.type == EntryType::kOpaque;
    std::string folder = opaque ? entry.path : Parent(entry.path);
    const Item* item = Find(folder);
    if (folder.empty() ||
        (item != nullptr && item->entry.type == EntryType::kDirectory)) {
      Erase(entry.path, opaque);
      continue;
    }
    // The folder is reached through a symlink of the layers below, unless this
    // layer has a folder in its place, which then hides nothing.
    if (own.empty()) {
      for (const Entry& other : diff.entries) {
        own.insert(IsDeletion(other) ? "" : other.path);
      }
    }
    std::string symlink;
    for (std::string above = folder; !above.empty(); above = Parent(above)) {
      const Item* at = Find(above);
      if (at == nullptr || at->entry.type != EntryType::kDirectory) {
        symlink = above;
      }
    }
    absl::StatusOr<std::string> real = Resolve(folder, true);
    if (!own.contains(symlink) && real.ok() && Find(*real) != nullptr) {
      Erase(opaque ? *real : Child(*real, entry.path.substr(folder.size() + 1)),
            opaque);
    }
  }
}

// Where `path` is once the symlinks above it are followed.
std::string Tree::Place(const std::string& path) const {
  std::string folder = Parent(path);
  const Item* item = Find(folder);
  if (folder.empty() ||
      (item != nullptr && item->entry.type == EntryType::kDirectory)) {
    return path;
  }
  absl::StatusOr<std::string> real = Resolve(folder, true);
  return real.ok() ? Child(*real, path.substr(folder.size() + 1)) : path;
}

void Tree::Add(const Entry& entry) {
  std::string path = Place(entry.path);
  MakeParents(path);
  auto found = items_.find(path);
  if (found != items_.end()) {
    bool was_folder = found->second.entry.type == EntryType::kDirectory;
    if (was_folder && entry.type != EntryType::kDirectory) {
      Erase(path, true);
    }
    Unlink(found->second.entry);
  }
  auto place = items_.insert_or_assign(
      found == items_.end() ? items_.end() : found, path, Item{entry, layers_});
  Entry& added = place->second.entry;
  if (added.type == EntryType::kFile && !added.link.empty()) {
    // The path with the bytes may just have gone to make room.
    if (items_.contains(added.link)) {
      names_[added.link].insert(path);
    } else {
      added.link.clear();
    }
  }
  added.path = std::move(path);
}

void Tree::MakeParents(const std::string& path) {
  std::string folder = Parent(path);
  if (folder.empty() || items_.contains(folder)) {
    return;
  }
  MakeParents(folder);
  items_[folder] = {
      Entry{.path = folder, .type = EntryType::kDirectory, .mode = 0755},
      layers_};
}

// Turns a hard link into the entry that it names; false if there is none yet.
bool Tree::FillHardLink(Entry& entry) {
  const Item* target = Find(Place(entry.link));
  if (target == nullptr || target->entry.type == EntryType::kDirectory) {
    return false;
  }
  std::string path = std::move(entry.path);
  entry = target->entry;
  if (entry.type == EntryType::kFile && entry.link.empty()) {
    entry.link = entry.path;
  }
  entry.path = std::move(path);
  // A link onto itself changes nothing.
  if (entry.link == entry.path && entry.type == EntryType::kFile) {
    entry.link.clear();
  }
  return true;
}

void Tree::Erase(const std::string& path, bool keep_self) {
  auto begin = RangeBelow(items_, path);
  while (begin != items_.end() && IsBelow(begin->first, path)) {
    Entry gone = std::move(begin->second.entry);
    begin = items_.erase(begin);
    Unlink(gone);
  }
  auto self = items_.find(path);
  if (!keep_self && self != items_.end()) {
    Entry gone = std::move(self->second.entry);
    items_.erase(self);
    Unlink(gone);
  }
}

// `entry` is no longer a name of its file; the bytes keep a path.
void Tree::Unlink(const Entry& entry) {
  if (entry.type != EntryType::kFile || names_.empty()) {
    return;
  }
  if (!entry.link.empty()) {
    auto names = names_.find(entry.link);
    if (names != names_.end()) {
      names->second.erase(entry.path);
    }
    return;
  }
  auto node = names_.extract(entry.path);
  if (node.empty() || node.mapped().empty()) {
    return;
  }
  std::set<std::string> others = std::move(node.mapped());
  std::string heir = *others.begin();
  others.erase(others.begin());
  items_.at(heir).entry.link.clear();
  for (const std::string& other : others) {
    items_.at(other).entry.link = heir;
  }
  if (!others.empty()) {
    names_[heir] = std::move(others);
  }
}

const Tree::Item* Tree::Find(const std::string& path) const {
  auto found = items_.find(path);
  return found != items_.end() ? &found->second : nullptr;
}

absl::StatusOr<std::string> Tree::Resolve(const std::string& path,
                                          bool follow_last) const {
  std::deque<std::string> left = absl::StrSplit(path, '/', absl::SkipEmpty());
  // A slash at the end asks for the folder itself.
  follow_last = follow_last || (!path.empty() && path.back() == '/');
  std::string at;
  int symlinks = 0;
  while (!left.empty()) {
    std::string name = std::move(left.front());
    left.pop_front();
    if (name == "." || name == "..") {
      at = name == "." ? at : Parent(at);
      continue;
    }
    std::string next = Child(at, name);
    const Item* item = Find(next);
    if (item != nullptr && item->entry.type == EntryType::kSymlink &&
        (follow_last || !left.empty())) {
      if (++symlinks > kMaxSymlinks) {
        return absl::FailedPreconditionError(
            absl::StrCat("/", path, ": more than 40 symlinks"));
      }
      const std::string& target = item->entry.link;
      at = !target.empty() && target[0] == '/' ? "" : at;
      std::vector<std::string> parts =
          absl::StrSplit(target, '/', absl::SkipEmpty());
      left.insert(left.begin(), parts.begin(), parts.end());
      continue;
    }
    if (item != nullptr && !left.empty() &&
        item->entry.type != EntryType::kDirectory) {
      return absl::FailedPreconditionError(
          absl::StrCat("/", path, ": /", next, " is no folder"));
    }
    at = std::move(next);
  }
  return at;
}

std::vector<const Tree::Item*> Tree::Below(const std::string& folder) const {
  std::vector<const Item*> found;
  for (auto at = RangeBelow(items_, folder);
       at != items_.end() && IsBelow(at->first, folder); ++at) {
    found.push_back(&at->second);
  }
  return found;
}

std::vector<const Tree::Item*> Tree::Children(const std::string& folder) const {
  std::vector<const Item*> found;
  auto at = RangeBelow(items_, folder);
  while (at != items_.end() && IsBelow(at->first, folder)) {
    found.push_back(&at->second);
    // The first path after everything below this child: no byte of a path is
    // zero, and zero is above the slash in this order.
    at =
        items_.lower_bound(absl::StrCat(at->first, absl::string_view("\0", 1)));
  }
  return found;
}

}  // namespace lamina::ir
