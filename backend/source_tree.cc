#include "backend/source_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr int kMaxSymlinks = 40;

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

ir::EntryType TypeOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return ir::EntryType::kDirectory;
    case S_IFLNK:
      return ir::EntryType::kSymlink;
    case S_IFCHR:
      return ir::EntryType::kCharDevice;
    case S_IFBLK:
      return ir::EntryType::kBlockDevice;
    case S_IFIFO:
      return ir::EntryType::kFifo;
    default:
      return ir::EntryType::kFile;
  }
}

bool IsKeptXattr(absl::string_view name) {
  return name == "security.capability" || name == "security.ima" ||
         name == "system.posix_acl_access" ||
         name == "system.posix_acl_default" ||
         absl::StartsWith(name, "user.");
}

// A folder of the host. Every lookup goes through descriptors beneath it.
class ContextFolder {
 public:
  ContextFolder(std::string path, UniqueFd root, ir::IgnoreMatcher ignore)
      : path_(std::move(path)), root_(std::move(root)),
        ignore_(std::move(ignore)) {}

  absl::StatusOr<std::optional<SourceItem>> Find(const std::string& path) {
    if (path.empty()) {
      return ReadItem(path, "");
    }
    // Ignored paths are absent, and so is what lies below a non-folder.
    std::string parent(DirName(path));
    struct stat info;
    if (!Visible(path, parent)) {
      // An ignored folder exists as soon as one of its children does.
      ASSIGN_OR_RETURN(bool reincluded, HasVisibleChild(path));
      if (!reincluded) {
        return std::optional<SourceItem>();
      }
    }
    absl::StatusOr<UniqueFd> folder =
        OpenBeneath(root_.get(), parent, O_PATH | O_DIRECTORY);
    if (!folder.ok() ||
        fstatat(folder->get(), std::string(BaseName(path)).c_str(), &info,
                AT_SYMLINK_NOFOLLOW) != 0) {
      return std::optional<SourceItem>();
    }
    return ReadItem(path, parent);
  }

  absl::StatusOr<std::vector<SourceItem>> Children(const std::string& folder) {
    std::vector<SourceItem> items;
    ASSIGN_OR_RETURN(std::vector<std::string> names, Names(folder));
    ASSIGN_OR_RETURN(UniqueFd parent,
                     OpenBeneath(root_.get(), folder, O_PATH | O_DIRECTORY));
    for (const std::string& name : names) {
      std::string path = JoinPath(folder, name);
      struct stat info;
      if (fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) !=
          0) {
        continue;  // Went away since it was listed.
      }
      bool visible = Visible(path, folder);
      if (!visible && S_ISDIR(info.st_mode) && ignore_.MustEnter(path)) {
        ASSIGN_OR_RETURN(visible, HasVisibleChild(path));
      }
      if (!visible || S_ISSOCK(info.st_mode)) {
        continue;
      }
      ASSIGN_OR_RETURN(SourceItem item, MakeItem(path, parent.get(), name, info));
      items.push_back(std::move(item));
    }
    return items;
  }

  absl::StatusOr<UniqueFd> Open(const std::string& path) {
    // O_NONBLOCK: a FIFO without a writer must not hang the build.
    return OpenBeneath(root_.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  }

 private:
  // Whether the patterns let `path` through; remembers what its children need.
  bool Visible(const std::string& path, const std::string& parent) {
    if (ignore_.empty()) {
      return true;
    }
    auto known = visible_.find(path);
    if (known != visible_.end()) {
      return known->second;
    }
    if (!parent.empty() && !memory_.contains(parent)) {
      Visible(parent, std::string(DirName(parent)));
    }
    ir::IgnoreMemory& memory = memory_[path];
    bool visible = !ignore_.Ignored(path, memory_[parent], memory);
    visible_[path] = visible;
    return visible;
  }

  absl::StatusOr<bool> HasVisibleChild(const std::string& path) {
    if (!ignore_.MustEnter(path)) {
      return false;
    }
    absl::StatusOr<UniqueFd> folder =
        OpenBeneath(root_.get(), path, O_PATH | O_DIRECTORY);
    if (!folder.ok()) {
      return false;
    }
    ASSIGN_OR_RETURN(std::vector<SourceItem> children, Children(path));
    return !children.empty();
  }

  absl::StatusOr<std::vector<std::string>> Names(const std::string& folder) {
    ASSIGN_OR_RETURN(UniqueFd fd, OpenBeneath(root_.get(), folder,
                                              O_RDONLY | O_DIRECTORY));
    DIR* stream = fdopendir(fd.Release());
    if (stream == nullptr) {
      return ErrnoError(absl::StrCat("list ", JoinPath(path_, folder)));
    }
    std::vector<std::string> names;
    while (dirent* entry = readdir(stream)) {
      absl::string_view name = entry->d_name;
      if (name != "." && name != "..") {
        names.emplace_back(name);
      }
    }
    closedir(stream);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<std::optional<SourceItem>> ReadItem(const std::string& path,
                                                     const std::string& parent) {
    std::string name = path.empty() ? "." : std::string(BaseName(path));
    ASSIGN_OR_RETURN(UniqueFd folder,
                     OpenBeneath(root_.get(), parent, O_PATH | O_DIRECTORY));
    struct stat info;
    if (fstatat(folder.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoError(absl::StrCat("read ", JoinPath(path_, path)));
    }
    ASSIGN_OR_RETURN(SourceItem item, MakeItem(path, folder.get(), name, info));
    return std::optional<SourceItem>(std::move(item));
  }

  absl::StatusOr<SourceItem> MakeItem(const std::string& path, int folder,
                                      const std::string& name,
                                      const struct stat& info) {
    SourceItem item;
    item.entry.path = path;
    item.entry.type = TypeOf(info.st_mode);
    item.entry.mode = info.st_mode & 07777;
    item.entry.uid = info.st_uid;
    item.entry.gid = info.st_gid;
    item.entry.mtime = info.st_mtim.tv_sec;
    if (S_ISREG(info.st_mode)) {
      item.entry.size = static_cast<uint64_t>(info.st_size);
      item.stamp = {info.st_dev, info.st_ino,
                    static_cast<uint64_t>(info.st_size),
                    Nanoseconds(info.st_mtim), Nanoseconds(info.st_ctim)};
      if (info.st_nlink > 1) {
        auto [first, is_new] =
            first_names_.try_emplace({info.st_dev, info.st_ino}, path);
        item.same_file_as = first->second;
      }
    } else if (S_ISLNK(info.st_mode)) {
      item.entry.mode = 0777;
      char target[4096];
      ssize_t size =
          readlinkat(folder, name.c_str(), target, sizeof target);
      if (size < 0) {
        return ErrnoError(absl::StrCat("read link ", JoinPath(path_, path)));
      }
      item.entry.link.assign(target, static_cast<size_t>(size));
    } else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
      item.entry.major = major(info.st_rdev);
      item.entry.minor = minor(info.st_rdev);
    }
    if (!S_ISLNK(info.st_mode)) {
      ReadXattrs(folder, name, item.entry);
    }
    return item;
  }

  // Attributes that cannot be read are left out: many file systems have none.
  static void ReadXattrs(int folder, const std::string& name,
                         ir::Entry& entry) {
    std::string path = absl::StrCat("/proc/self/fd/", folder, "/", name);
    char names[4096];
    ssize_t size = llistxattr(path.c_str(), names, sizeof names);
    if (size <= 0) {
      return;
    }
    absl::string_view list(names, static_cast<size_t>(size));
    for (absl::string_view key :
         absl::StrSplit(list, '\0', absl::SkipEmpty())) {
      if (!IsKeptXattr(key)) {
        continue;
      }
      std::string value(64 * 1024, '\0');
      ssize_t length = lgetxattr(path.c_str(), std::string(key).c_str(),
                                 value.data(), value.size());
      if (length > 0) {
        value.resize(static_cast<size_t>(length));
        entry.xattrs[std::string(key)] = std::move(value);
      }
    }
  }

  std::string path_;
  UniqueFd root_;
  ir::IgnoreMatcher ignore_;
  std::map<std::string, bool> visible_;
  std::map<std::string, ir::IgnoreMemory> memory_;
  std::map<std::pair<uint64_t, uint64_t>, std::string> first_names_;
};

SourceItem ItemOf(const ir::Tree::Item& item, const std::string& path) {
  SourceItem out;
  out.entry = item.entry;
  out.entry.path = path;
  if (item.entry.type == ir::EntryType::kFile && !item.entry.link.empty()) {
    out.same_file_as = std::exchange(out.entry.link, "");
  }
  return out;
}

}  // namespace

absl::StatusOr<SourceTree> OpenContextFolder(const std::string& path,
                                             const ir::IgnoreMatcher& ignore) {
  ASSIGN_OR_RETURN(UniqueFd root, OpenFile(path, O_PATH | O_DIRECTORY));
  auto folder =
      std::make_shared<ContextFolder>(path, std::move(root), ignore);
  SourceTree source;
  source.find = [folder](const std::string& at) { return folder->Find(at); };
  source.children = [folder](const std::string& at) {
    return folder->Children(at);
  };
  source.open = [folder](const std::string& at) { return folder->Open(at); };
  return source;
}

SourceTree OpenRemoteFile(const std::string& name, const std::string& path,
                          const Digest& content, int64_t mtime) {
  SourceItem file;
  file.entry.path = name;
  file.entry.mode = 0600;
  file.entry.mtime = mtime;
  file.entry.digest = content;
  SourceTree source;
  source.kind = SourceKind::kFile;
  source.find = [file, path](const std::string& at)
      -> absl::StatusOr<std::optional<SourceItem>> {
    if (at.empty()) {
      SourceItem root;
      root.entry.type = ir::EntryType::kDirectory;
      root.entry.mode = 0755;
      return std::optional<SourceItem>(std::move(root));
    }
    if (at != file.entry.path) {
      return std::optional<SourceItem>();
    }
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
      return ErrnoError(absl::StrCat("find ", path));
    }
    SourceItem found = file;
    found.entry.size = static_cast<uint64_t>(info.st_size);
    return std::optional<SourceItem>(std::move(found));
  };
  source.children = [find = source.find, name](const std::string& folder)
      -> absl::StatusOr<std::vector<SourceItem>> {
    std::vector<SourceItem> items;
    if (folder.empty()) {
      ASSIGN_OR_RETURN(std::optional<SourceItem> item, find(name));
      items.push_back(*std::move(item));
    }
    return items;
  };
  source.open = [path](const std::string&) { return OpenFile(path, O_RDONLY); };
  return source;
}

absl::StatusOr<SourceTree> OpenCommitFolder(const std::string& path,
                                            std::optional<int64_t> mtime) {
  ASSIGN_OR_RETURN(SourceTree files, OpenContextFolder(path, {}));
  auto normal = [mtime](SourceItem item) {
    ir::Entry& entry = item.entry;
    if (entry.type != ir::EntryType::kSymlink) {
      bool runs = entry.type == ir::EntryType::kDirectory ||
                  (entry.mode & 0111) != 0;
      entry.mode = runs ? 0755 : 0644;
    }
    entry.uid = 0;
    entry.gid = 0;
    entry.xattrs.clear();
    entry.mtime = mtime.value_or(entry.mtime);
    return item;
  };
  SourceTree source = files;
  source.kind = SourceKind::kCommit;
  source.find = [find = files.find, normal](const std::string& at)
      -> absl::StatusOr<std::optional<SourceItem>> {
    ASSIGN_OR_RETURN(std::optional<SourceItem> item, find(at));
    return item.has_value() ? std::optional(normal(*std::move(item)))
                            : std::nullopt;
  };
  source.children = [children = files.children, normal](
                        const std::string& folder)
      -> absl::StatusOr<std::vector<SourceItem>> {
    ASSIGN_OR_RETURN(std::vector<SourceItem> items, children(folder));
    for (SourceItem& item : items) {
      item = normal(std::move(item));
    }
    return items;
  };
  return source;
}

SourceTree OpenLayerTree(const ir::Tree& tree,
                         const std::vector<std::string>& folders) {
  SourceTree source;
  source.find = [&tree](const std::string& path)
      -> absl::StatusOr<std::optional<SourceItem>> {
    if (path.empty()) {
      SourceItem root;
      root.entry.type = ir::EntryType::kDirectory;
      root.entry.mode = 0755;
      return std::optional<SourceItem>(std::move(root));
    }
    const ir::Tree::Item* item = tree.Find(path);
    if (item == nullptr) {
      return std::optional<SourceItem>();
    }
    return std::optional<SourceItem>(ItemOf(*item, path));
  };
  source.children = [&tree](const std::string& folder)
      -> absl::StatusOr<std::vector<SourceItem>> {
    std::vector<SourceItem> items;
    for (const ir::Tree::Item* item : tree.Children(folder)) {
      items.push_back(ItemOf(*item, item->entry.path));
    }
    std::sort(items.begin(), items.end(),
              [](const SourceItem& a, const SourceItem& b) {
                return a.entry.path < b.entry.path;
              });
    return items;
  };
  source.open = [&tree, &folders](const std::string& path)
      -> absl::StatusOr<UniqueFd> {
    const ir::Tree::Item* item = tree.Find(path);
    CHECK(item != nullptr && item->layer < folders.size());
    ASSIGN_OR_RETURN(UniqueFd root, OpenFile(folders[item->layer],
                                             O_PATH | O_DIRECTORY));
    return OpenBeneath(root.get(), path, O_RDONLY);
  };
  return source;
}

absl::StatusOr<std::string> FollowPath(
    const std::string& path, bool follow_last,
    const std::function<absl::StatusOr<PathKind>(const std::string&)>& look) {
  std::deque<std::string> rest;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    rest.emplace_back(part);
  }
  std::string done;
  int symlinks = 0;
  while (!rest.empty()) {
    std::string part = std::move(rest.front());
    rest.pop_front();
    if (part == ".") {
      continue;
    }
    if (part == "..") {
      done = std::string(DirName(done));
      continue;
    }
    std::string next = JoinPath(done, part);
    ASSIGN_OR_RETURN(PathKind kind, look(next));
    if (!kind.is_symlink || (rest.empty() && !follow_last)) {
      done = std::move(next);
      continue;
    }
    if (++symlinks > kMaxSymlinks) {
      return absl::InvalidArgumentError(
          absl::StrCat("too many symbolic links in /", path));
    }
    std::vector<std::string> target =
        absl::StrSplit(kind.link, '/', absl::SkipEmpty());
    rest.insert(rest.begin(), target.begin(), target.end());
    if (absl::StartsWith(kind.link, "/")) {
      done.clear();
    }
  }
  return done;
}

}  // namespace lamina::backend
