#include "ir/model_tree.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"

namespace lamina::ir {

const ModelFile* ModelTree::Find(const std::string& path) const {
  auto found = files_.find(path);
  return found == files_.end() ? nullptr : &found->second;
}

bool ModelTree::IsFolder(const std::string& path) const {
  const ModelFile* file = Find(path);
  return path.empty() ||
         (file != nullptr && file->entry.type == EntryType::kDirectory);
}

std::optional<std::string> ModelTree::Resolve(absl::string_view path,
                                              bool follow_last) const {
  std::vector<std::string> rest;  // The next part is the last one.
  auto push = [&](absl::string_view text) {
    std::vector<std::string> parts = absl::StrSplit(text, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (!part->empty() && *part != ".") {
        rest.push_back(*part);
      }
    }
  };
  push(path);
  std::string at;
  int links = 0;
  while (!rest.empty()) {
    std::string part = rest.back();
    rest.pop_back();
    if (part == "..") {
      at = std::string(DirName(at));
      continue;
    }
    std::string next = JoinPath(at, part);
    const ModelFile* file = Find(next);
    bool is_link = file != nullptr && file->entry.type == EntryType::kSymlink;
    if (is_link && (follow_last || !rest.empty())) {
      if (++links > 40) {
        return std::nullopt;
      }
      at = absl::StartsWith(file->entry.link, "/") ? "" : at;
      push(file->entry.link);
      continue;
    }
    if (file != nullptr && !rest.empty() && !IsFolder(next)) {
      return std::nullopt;
    }
    at = next;
  }
  return at;
}

void ModelTree::Put(const std::string& path, ModelFile file) {
  next_inode_ = std::max(next_inode_, file.inode + 1);
  files_[path] = std::move(file);
}

void ModelTree::PutNew(const std::string& path, Entry entry) {
  Put(path, {std::move(entry), NewInode()});
}

void ModelTree::Update(const std::string& path,
                       const std::function<void(Entry&)>& change) {
  int inode = files_.at(path).inode;
  for (auto& [name, file] : files_) {
    if (file.inode == inode) {
      change(file.entry);
    }
  }
}

void ModelTree::Erase(const std::string& path) {
  files_.erase(path);
  std::string below = path + "/";
  auto from = files_.lower_bound(below);
  auto to = from;
  while (to != files_.end() && absl::StartsWith(to->first, below)) {
    ++to;
  }
  files_.erase(from, to);
}

bool ModelTree::MakeFolders(const std::string& path, uint32_t mode,
                            uint32_t uid, uint32_t gid) {
  if (IsFolder(path)) {
    return true;
  }
  if (Find(path) != nullptr ||
      !MakeFolders(std::string(DirName(path)), mode, uid, gid)) {
    return false;
  }
  PutNew(path, {.type = EntryType::kDirectory,
                .mode = mode,
                .uid = uid,
                .gid = gid,
                .mtime = kModelNow});
  return true;
}

namespace {

// All bits of the classes, with set-user-id and set-group-id.
uint32_t SetIdBits(uint32_t who) {
  return who == 0 ? 07777
                  : who | ((who & 0700) != 0 ? 04000 : 0) |
                        ((who & 0070) != 0 ? 02000 : 0);
}

// `u+x` and its like.
uint32_t ChangeClause(absl::string_view clause, const Entry& entry,
                      ModelTree::ModeRules rules) {
  size_t at = clause.find_first_of("+-=");
  uint32_t who = 0;
  for (char c : clause.substr(0, at)) {
    who |= c == 'u' ? 0700 : c == 'g' ? 0070 : c == 'o' ? 0007 : 0777;
  }
  uint32_t bits = 0;
  for (char c : clause.substr(at + 1)) {
    bool executes = c == 'x' || entry.type == EntryType::kDirectory ||
                    (entry.mode & 0111) != 0;
    bits |= c == 'r' ? 0444 : c == 'w' ? 0222 : executes ? 0111 : 0;
  }
  bool masked = who == 0 && rules == ModelTree::ModeRules::kCommand;
  bits &= masked ? 0777 & ~022U : who == 0 ? 0777 : who;
  return clause[at] == '+'   ? entry.mode | bits
         : clause[at] == '-' ? entry.mode & ~bits
                             : (entry.mode & ~SetIdBits(who)) | bits;
}

}  // namespace

uint32_t ModelTree::ChangeMode(absl::string_view mode, const Entry& entry,
                               ModeRules rules) {
  bool is_folder = entry.type == EntryType::kDirectory;
  if (mode[0] >= '0' && mode[0] <= '9') {
    uint32_t value = 0;
    for (char digit : mode) {
      value = value * 8 + static_cast<uint32_t>(digit - '0');
    }
    // chmod(1): a folder keeps its set-id bits unless they are named.
    bool keeps = rules == ModeRules::kCommand && is_folder && mode.size() < 5;
    return value | (keeps ? entry.mode & 06000 : 0);
  }
  Entry changed = entry;
  for (absl::string_view clause : absl::StrSplit(mode, ',')) {
    changed.mode = ChangeClause(clause, changed, rules);
  }
  return changed.mode;
}

StepDiff DiffModel(const ModelTree& before, const ModelTree& after) {
  // A group is put as a whole when any of its names is (rule L).
  std::set<int> put;
  for (const auto& [path, file] : after.files()) {
    const ModelFile* old = before.Find(path);
    if (old == nullptr || *old != file) {
      put.insert(file.inode);
    }
  }
  StepDiff diff;
  for (const auto& [path, file] : before.files()) {
    if (after.Find(path) == nullptr &&
        after.IsFolder(std::string(DirName(path)))) {
      diff.entries.push_back({.path = path, .type = EntryType::kWhiteout});
    }
  }
  std::map<std::string, int> inodes;
  for (const auto& [path, file] : after.files()) {
    if (put.contains(file.inode)) {
      diff.entries.push_back(file.entry);
      diff.entries.back().path = path;
      inodes[path] = file.inode;
    }
  }
  SortEntries(diff);
  std::map<int, std::string> first;
  for (Entry& entry : diff.entries) {
    auto inode = inodes.find(entry.path);
    if (inode == inodes.end() || entry.type != EntryType::kFile) {
      continue;
    }
    auto [holder, is_first] = first.try_emplace(inode->second, entry.path);
    if (!is_first) {
      entry.type = EntryType::kHardLink;
      entry.link = holder->second;
      entry.size = 0;
    }
  }
  return diff;
}

std::string PrintModel(const ModelTree& tree) {
  StepDiff all = DiffModel(ModelTree(), tree);
  return PrintStepDiff(all);
}

}  // namespace lamina::ir
