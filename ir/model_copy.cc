// What COPY does to the model's tree.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/files.h"
#include "ir/model_tree.h"

namespace lamina::ir {
namespace {

class ModelCopy {
 public:
  ModelCopy(const Copy& copy, ModelTree& tree) : copy_(copy), tree_(tree) {
    static_cast<void>(absl::SimpleAtoi(copy.owner.user, &uid_));
    gid_ = uid_;
    if (!copy.owner.group.empty()) {
      static_cast<void>(absl::SimpleAtoi(copy.owner.group, &gid_));
    }
  }

  bool Place(const std::vector<ModelPick>& picks) {
    std::optional<std::string> target = tree_.Resolve(copy_.destination, true);
    if (!target) {
      return false;
    }
    target_ = *target;
    into_ = absl::EndsWith(copy_.destination, "/") || tree_.IsFolder(target_);
    for (const ModelPick& pick : picks) {
      if (!PlaceOne(pick)) {
        return false;
      }
    }
    for (const InlineFile& file : copy_.files) {
      ModelPick pick;
      pick.name = file.name;
      pick.match = -1;
      pick.file.inode = --inline_inode_;
      pick.file.entry = {.mode = 0644,
                         .mtime = kModelNow,
                         .size = file.data.size(),
                         .digest = Sha256(file.data)};
      if (!PlaceOne(pick)) {
        return false;
      }
    }
    return true;
  }

 private:
  // Folders that are made take the owner and an octal mode.
  uint32_t FolderMode() const {
    bool octal =
        !copy_.chmod.empty() && copy_.chmod[0] >= '0' && copy_.chmod[0] <= '7';
    return octal ? ModelTree::ChangeMode(copy_.chmod, Entry(),
                                         ModelTree::ModeRules::kCopy)
                 : 0755;
  }

  bool PlaceOne(const ModelPick& pick) {
    Entry entry = pick.file.entry;
    if (copy_.owner.given || !copy_.preserve_owner) {
      entry.uid = uid_;
      entry.gid = gid_;
    }
    ChangeMode(entry);
    std::string path = JoinPath(target_, pick.name);
    if (!pick.from_folder) {
      std::optional<std::string> found =
          into_ ? tree_.Resolve(path, true) : target_;
      if (!found) {
        return false;
      }
      path = *found;
    } else if (pick.name.empty()) {
      return PlaceTop(std::move(entry));
    }
    return tree_.MakeFolders(std::string(DirName(path)), FolderMode(), uid_,
                             gid_) &&
           Put(path, std::move(entry), pick);
  }

  void ChangeMode(Entry& entry) const {
    if (!copy_.chmod.empty() && entry.type != EntryType::kSymlink) {
      entry.mode = ModelTree::ChangeMode(copy_.chmod, entry,
                                         ModelTree::ModeRules::kCopy);
    }
  }

  // A folder that is there keeps all but its time.
  bool PlaceTop(Entry entry) {
    if (target_.empty()) {
      return true;
    }
    if (tree_.IsFolder(target_)) {
      ModelFile kept = *tree_.Find(target_);
      kept.entry.mtime = entry.mtime;
      tree_.Put(target_, std::move(kept));
      return true;
    }
    if (!tree_.MakeFolders(target_, FolderMode(), uid_, gid_)) {
      return false;
    }
    ModelFile made = *tree_.Find(target_);
    made.entry.mtime = entry.mtime;
    made.entry.mode = 0755;
    ChangeMode(made.entry);
    tree_.Put(target_, std::move(made));
    return true;
  }

  bool Put(const std::string& path, Entry entry, const ModelPick& pick) {
    if (path.empty()) {
      return true;
    }
    const ModelFile* old = tree_.Find(path);
    bool is_folder = entry.type == EntryType::kDirectory;
    if (old != nullptr && is_folder != tree_.IsFolder(path)) {
      return false;
    }
    if (is_folder && old != nullptr) {
      tree_.Put(path, {std::move(entry), old->inode});
      return true;
    }
    auto [inode, is_new] =
        inodes_.try_emplace({pick.match, pick.file.inode}, 0);
    inode->second = is_new ? tree_.NewInode() : inode->second;
    tree_.Put(path, {std::move(entry), inode->second});
    return true;
  }

  const Copy& copy_;
  ModelTree& tree_;
  uint32_t uid_ = 0;
  uint32_t gid_ = 0;
  std::string target_;
  bool into_ = false;
  std::map<std::pair<int, int>, int> inodes_;
  int inline_inode_ = 0;
};

}  // namespace

std::optional<std::vector<ModelPick>> ListModel(const Copy& copy,
                                                const ModelTree& source) {
  std::vector<ModelPick> picks;
  int match = 0;
  for (const std::string& word : copy.sources) {
    std::optional<std::string> path = source.Resolve(word, true);
    if (!path || (!path->empty() && source.Find(*path) == nullptr)) {
      return std::nullopt;
    }
    ++match;
    if (!source.IsFolder(*path)) {
      picks.push_back(
          {std::string(BaseName(word)), false, match, *source.Find(*path)});
      continue;
    }
    ModelPick top = {"", true, match, {}};
    top.file.entry.type = EntryType::kDirectory;
    if (!path->empty()) {
      top.file = *source.Find(*path);
    }
    picks.push_back(std::move(top));
    std::string below = path->empty() ? "" : *path + "/";
    for (auto file = source.files().lower_bound(below);
         file != source.files().end() && absl::StartsWith(file->first, below);
         ++file) {
      picks.push_back(
          {file->first.substr(below.size()), true, match, file->second});
    }
  }
  return picks;
}

bool CopyModel(const Copy& copy, const ModelTree* source, ModelTree& tree) {
  std::optional<std::vector<ModelPick>> picks;
  picks.emplace();
  if (source != nullptr) {
    picks = ListModel(copy, *source);
  }
  if (!picks) {
    return false;
  }
  if (!copy.link || !copy.chmod.empty()) {
    return ModelCopy(copy, tree).Place(*picks);
  }
  // Onto an empty tree, whose files then cover what is there.
  ModelTree alone;
  if (!ModelCopy(copy, alone).Place(*picks)) {
    return false;
  }
  std::map<int, int> inodes;
  for (const auto& [path, file] : alone.files()) {
    auto [inode, is_new] = inodes.try_emplace(file.inode, 0);
    inode->second = is_new ? tree.NewInode() : inode->second;
    bool merges =
        file.entry.type == EntryType::kDirectory && tree.IsFolder(path);
    if (!merges) {
      tree.Erase(path);
    }
    tree.Put(path, {file.entry, inode->second});
  }
  return true;
}

}  // namespace lamina::ir
