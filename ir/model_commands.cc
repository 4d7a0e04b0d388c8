// What the commands of a RUN do to the model's tree.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/digest.h"
#include "base/files.h"
#include "ir/model_tree.h"

namespace lamina::ir {
namespace {

bool IsRoot(const std::string& user) {
  return user.empty() || user == "0" || user == "0:0" || user == "root";
}

}  // namespace

class ModelTree::Command {
 public:
  Command(ModelTree& tree, const Run& run) : tree_(tree), run_(run) {}

  bool Execute() {
    if (!tree_.MakeFolders(
            tree_.Resolve(run_.working_dir, true).value_or("?/?"), 0755, 0,
            0)) {
      return false;
    }
    words_ = run_.args;
    if (words_.size() == 3 && words_[1] == "-c") {
      words_ = absl::StrSplit(run_.args[2], ' ', absl::SkipEmpty());
    }
    const std::string& name = words_[0];
    bool recursive = words_.size() > 1 && words_[1] == "-R";
    return name == "echo"    ? Echo(words_[1], words_[3])
           : name == "rm"    ? Remove(words_[2])
           : name == "mv"    ? Move(words_[1], words_[2])
           : name == "mkdir" ? MakeFolder(words_[2])
           : name == "ln"    ? Link()
           : name == "chmod" ? ForEach(recursive, &Command::Mode)
           : name == "chown" ? ForEach(recursive, &Command::Owner)
                             : name == "true";
  }

 private:
  using Change = bool (Command::*)(const std::string& value,
                                   const std::string& path);

  std::optional<std::string> Locate(const std::string& word, bool follow) {
    std::string path = absl::StartsWith(word, "/")
                           ? word
                           : absl::StrCat(run_.working_dir, "/", word);
    std::optional<std::string> found = tree_.Resolve(path, follow);
    bool usable = found.has_value() && !found->empty() &&
                  tree_.IsFolder(std::string(DirName(*found)));
    return usable ? found : std::nullopt;
  }

  // The folder's own time changes with its list of names.
  void Touch(const std::string& path) {
    std::string folder(DirName(path));
    if (!folder.empty()) {
      tree_.files_.at(folder).entry.mtime = kModelNow;
    }
  }

  Entry NewEntry(EntryType type, uint32_t mode) {
    uint32_t id = IsRoot(run_.user) ? 0 : 1000;
    return {
        .type = type, .mode = mode, .uid = id, .gid = id, .mtime = kModelNow};
  }

  bool Echo(const std::string& text, const std::string& word) {
    std::optional<std::string> path = Locate(word, true);
    if (!path || tree_.IsFolder(*path)) {
      return false;
    }
    if (tree_.Find(*path) == nullptr) {
      tree_.PutNew(*path, NewEntry(EntryType::kFile, 0644));
      Touch(*path);
    }
    tree_.Update(*path, [&](Entry& entry) {
      entry.size = text.size();
      entry.digest = Sha256(text);
      entry.mtime = kModelNow;
    });
    return true;
  }

  bool Remove(const std::string& word) {
    std::optional<std::string> path = Locate(word, false);
    if (path && tree_.Find(*path) != nullptr) {
      tree_.Erase(*path);
      Touch(*path);
    }
    return true;
  }

  bool Move(const std::string& from_word, const std::string& to_word) {
    std::optional<std::string> from = Locate(from_word, false);
    std::optional<std::string> to = Locate(to_word, false);
    if (!from || !to || tree_.Find(*from) == nullptr || *from == *to ||
        tree_.IsFolder(*to) || absl::StartsWith(*to, *from + "/")) {
      return false;
    }
    if (tree_.IsFolder(*from) && tree_.Find(*to) != nullptr) {
      return false;
    }
    ModelTree::Files moved;
    for (const auto& [path, file] : tree_.files_) {
      if (path == *from || absl::StartsWith(path, *from + "/")) {
        moved[*to + path.substr(from->size())] = file;
      }
    }
    tree_.Erase(*from);
    for (auto& [path, file] : moved) {
      tree_.Put(path, std::move(file));
    }
    Touch(*from);
    Touch(*to);
    return true;
  }

  bool MakeFolder(const std::string& word) {
    std::string path = absl::StartsWith(word, "/")
                           ? word
                           : absl::StrCat(run_.working_dir, "/", word);
    std::optional<std::string> found = tree_.Resolve(path, true);
    if (!found) {
      return false;
    }
    std::string top = *found;
    while (!tree_.IsFolder(std::string(DirName(top)))) {
      top = std::string(DirName(top));
    }
    bool is_new = tree_.Find(top) == nullptr && !top.empty();
    uint32_t id = IsRoot(run_.user) ? 0 : 1000;
    bool made = tree_.MakeFolders(*found, 0755, id, id);
    if (made && is_new) {
      Touch(top);
    }
    return made;
  }

  bool Link() {
    bool soft = words_[1] == "-s";
    std::optional<std::string> path = Locate(words_[soft ? 3 : 2], false);
    if (!path || tree_.Find(*path) != nullptr) {
      return false;
    }
    if (soft) {
      Entry entry = NewEntry(EntryType::kSymlink, 0777);
      entry.link = words_[2];
      tree_.PutNew(*path, std::move(entry));
    } else {
      std::optional<std::string> from = Locate(words_[1], false);
      const ModelFile* file = from ? tree_.Find(*from) : nullptr;
      if (file == nullptr || file->entry.type != EntryType::kFile) {
        return false;
      }
      tree_.Put(*path, ModelFile(*file));
    }
    Touch(*path);
    return true;
  }

  bool ForEach(bool recursive, Change change) {
    size_t at = recursive ? 2 : 1;
    for (size_t i = at + 1; i < words_.size(); ++i) {
      std::optional<std::string> path = Locate(words_[i], true);
      if (!path || tree_.Find(*path) == nullptr ||
          !(this->*change)(words_[at], *path)) {
        return false;
      }
      std::vector<std::string> below;
      for (const auto& [name, file] : tree_.files_) {
        if (recursive && absl::StartsWith(name, *path + "/")) {
          below.push_back(name);
        }
      }
      for (const std::string& name : below) {
        if (!(this->*change)(words_[at], name)) {
          return false;
        }
      }
    }
    return true;
  }

  bool Mode(const std::string& mode, const std::string& path) {
    const Entry& entry = tree_.files_.at(path).entry;
    if (!IsRoot(run_.user) && entry.uid != 1000) {
      return false;
    }
    if (entry.type != EntryType::kSymlink) {
      uint32_t changed = ChangeMode(mode, entry, ModeRules::kCommand);
      tree_.Update(path, [&](Entry& name) { name.mode = changed; });
    }
    return true;
  }

  bool Owner(const std::string& owner, const std::string& path) {
    if (!IsRoot(run_.user)) {
      return false;
    }
    std::pair<std::string, std::string> ids = absl::StrSplit(owner, ':');
    tree_.Update(path, [&](Entry& entry) {
      static_cast<void>(absl::SimpleAtoi(ids.first, &entry.uid));
      if (!ids.second.empty()) {
        static_cast<void>(absl::SimpleAtoi(ids.second, &entry.gid));
      }
      if (entry.type == EntryType::kFile) {
        entry.mode &= ~06000U;
      }
    });
    return true;
  }

  ModelTree& tree_;
  const Run& run_;
  std::vector<std::string> words_;
};

bool ModelTree::RunCommand(const Run& run) {
  return Command(*this, run).Execute();
}

}  // namespace lamina::ir
