#include "ir/layout/net_diff.h"

#include <map>
#include <utility>

#include "base/status.h"

namespace lamina::ir {
namespace {

std::string Parent(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

bool IsFolder(const Tree::Item& item) {
  return item.entry.type == EntryType::kDirectory;
}

// The path that has the bytes.
const std::string& Inode(const Entry& entry) {
  return entry.type == EntryType::kFile && !entry.link.empty() ? entry.link
                                                               : entry.path;
}

bool SameBytes(const Tree::Item& a, const Tree::Item& b) {
  return a.layer == b.layer ||
         (!a.entry.digest.empty() && a.entry.digest == b.entry.digest);
}

// Links are left out: whose names belong together is a question of groups.
bool SameState(const Tree::Item& a, const Tree::Item& b) {
  const Entry& x = a.entry;
  const Entry& y = b.entry;
  return x.type == y.type && x.mode == y.mode && x.uid == y.uid &&
         x.gid == y.gid && x.mtime == y.mtime && x.size == y.size &&
         x.major == y.major && x.minor == y.minor && x.xattrs == y.xattrs &&
         (x.type != EntryType::kSymlink || x.link == y.link) &&
         (x.type != EntryType::kFile || SameBytes(a, b));
}

class Comparison {
 public:
  Comparison(const Tree& before, const Tree& after)
      : before_(before), after_(after) {}

  StepDiff Run() {
    FindChanges();
    FindPartedNames();
    SpreadOverGroups();
    AddFoldersAbove();
    Emit();
    SortEntries(diff_);
    return std::move(diff_);
  }

 private:
  // Both maps are in the same order: one walk over the two.
  void FindChanges() {
    auto old = before_.items().begin();
    auto now = after_.items().begin();
    PathLess less;
    while (old != before_.items().end() || now != after_.items().end()) {
      bool gone =
          now == after_.items().end() ||
          (old != before_.items().end() && less(old->first, now->first));
      bool fresh = !gone && (old == before_.items().end() ||
                             less(now->first, old->first));
      if (gone) {
        AddWhiteout(old->first);
        ++old;
        continue;
      }
      if (fresh || !SameState(old->second, now->second)) {
        changed_.insert(now->first);
      }
      CountName(now->second.entry);
      old = fresh ? old : std::next(old);
      ++now;
    }
  }

  // Where the folder above is gone or became something else, that says it.
  void AddWhiteout(const std::string& path) {
    std::string folder = Parent(path);
    const Tree::Item* above = after_.Find(folder);
    if (folder.empty() || (above != nullptr && IsFolder(*above))) {
      diff_.entries.push_back({.path = path, .type = EntryType::kWhiteout});
      needed_.insert(folder);
    }
  }

  void CountName(const Entry& entry) {
    if (entry.type == EntryType::kFile && !entry.link.empty()) {
      groups_[entry.link].push_back(entry.path);
    }
  }

  // Names of one inode that are files of their own now, with the same bytes.
  void FindPartedNames() {
    std::map<std::string, std::vector<std::string>> old_groups;
    for (const auto& [path, item] : before_.items()) {
      if (item.entry.type == EntryType::kFile && !item.entry.link.empty()) {
        old_groups[item.entry.link].push_back(path);
      }
    }
    for (auto& [bytes, names] : old_groups) {
      names.push_back(bytes);
      std::set<std::string> inodes;
      std::vector<std::string> kept;
      for (const std::string& name : names) {
        const Tree::Item* now = after_.Find(name);
        if (now != nullptr && !changed_.contains(name)) {
          kept.push_back(name);
          inodes.insert(Inode(now->entry));
        }
      }
      if (inodes.size() > 1) {
        changed_.insert(kept.begin(), kept.end());
      }
    }
  }

  // A layer holds all names of an inode or none: one that changed, or a group
  // that was put together otherwise before, makes all of them change.
  void SpreadOverGroups() {
    for (auto& [bytes, names] : groups_) {
      names.push_back(bytes);
      bool change = !SameGroupBefore(names);
      for (const std::string& name : names) {
        change = change || changed_.contains(name);
      }
      if (change) {
        changed_.insert(names.begin(), names.end());
      }
    }
  }

  bool SameGroupBefore(const std::vector<std::string>& names) const {
    const Tree::Item* first = before_.Find(names.front());
    for (const std::string& name : names) {
      const Tree::Item* item = before_.Find(name);
      if (item == nullptr || first == nullptr ||
          Inode(item->entry) != Inode(first->entry)) {
        return false;
      }
    }
    return true;
  }

  void AddFoldersAbove() {
    for (const std::string& path : changed_) {
      needed_.insert(Parent(path));
    }
    std::set<std::string> folders = std::move(needed_);
    for (std::string folder : folders) {
      while (!folder.empty() && changed_.insert(folder).second) {
        folder = Parent(folder);
      }
    }
  }

  void Emit() {
    std::map<std::string, std::string> first_names;  // By the path with bytes.
    for (const std::string& path : changed_) {
      Entry entry = after_.Find(path)->entry;
      if (entry.type == EntryType::kFile && groups_.contains(Inode(entry))) {
        auto [first, is_first] = first_names.emplace(Inode(entry), path);
        if (is_first) {
          entry.link.clear();
        } else {
          entry = {.path = path,
                   .type = EntryType::kHardLink,
                   .mode = entry.mode,
                   .uid = entry.uid,
                   .gid = entry.gid,
                   .mtime = entry.mtime,
                   .link = first->second,
                   .xattrs = entry.xattrs};
        }
      }
      diff_.entries.push_back(std::move(entry));
    }
  }

  const Tree& before_;
  const Tree& after_;
  StepDiff diff_;
  std::set<std::string, PathLess> changed_;
  std::set<std::string> needed_;  // Folders with an entry in them.
  std::map<std::string, std::vector<std::string>> groups_;
};

}  // namespace

StepDiff NetDiff(const Tree& before, const Tree& after) {
  CHECK(before.layer_count() <= after.layer_count());
  return Comparison(before, after).Run();
}

std::set<std::string> TypeChanges(const Tree& before, const StepDiff& diff) {
  std::set<std::string> changes;
  for (const Entry& entry : diff.entries) {
    const Tree::Item* old = before.Find(entry.path);
    if (old != nullptr && entry.type != EntryType::kWhiteout &&
        IsFolder(*old) != (entry.type == EntryType::kDirectory)) {
      changes.insert(entry.path);
    }
  }
  return changes;
}

std::vector<StepDiff> SplitDiff(
    const StepDiff& diff, size_t parts,
    const std::function<size_t(const std::string& path)>& part_of,
    const std::set<std::string>& replaced) {
  std::vector<StepDiff> split(parts);
  std::map<std::string, const Entry*> folders;
  std::map<std::string, size_t> places;  // Of files, for their other names.
  std::vector<std::set<std::string>> present(parts);
  auto add = [&](size_t part, const Entry& entry) {
    for (std::string folder = Parent(entry.path); !folder.empty();
         folder = Parent(folder)) {
      if (!present[part].insert(folder).second) {
        break;
      }
      split[part].entries.push_back(*folders.at(folder));
    }
    if (entry.type == EntryType::kWhiteout ||
        present[part].insert(entry.path).second) {
      split[part].entries.push_back(entry);
    }
  };
  for (const Entry& entry : diff.entries) {
    if (entry.type == EntryType::kDirectory) {
      folders[entry.path] = &entry;
    }
  }
  for (const Entry& entry : diff.entries) {
    bool first =
        entry.type == EntryType::kWhiteout || replaced.contains(entry.path);
    size_t part = first ? 0 : part_of(entry.path);
    if (entry.type == EntryType::kHardLink) {
      part = places.at(entry.link);
    }
    CHECK(part < parts);
    places[entry.path] = part;
    add(part, entry);
  }
  for (StepDiff& part : split) {
    SortEntries(part);
  }
  return split;
}

}  // namespace lamina::ir
