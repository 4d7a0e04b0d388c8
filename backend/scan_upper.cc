// The upper folder of an overlay, read as a step diff. What the kernel leaves
// there is described in its Documentation/filesystems/overlayfs.rst.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "backend/overlay_attributes.h"
#include "backend/tar/tar_writer.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

constexpr size_t kCompareBuffer = 256 << 10;

// What the overlay notes on a file or folder.
struct OverlayNotes {
  bool opaque = false;           // Nothing below shows through.
  bool holds_whiteouts = false;  // Some files in it are whiteouts, since 6.7.
  bool whiteout = false;
};

// Takes the overlay's own attributes out of `xattrs`, then all that a layer
// does not keep.
absl::StatusOr<OverlayNotes> FilterXattrs(
    std::map<std::string, std::string>& xattrs) {
  OverlayNotes notes;
  for (auto at = xattrs.begin(); at != xattrs.end();) {
    absl::string_view name = at->first;
    if (absl::ConsumePrefix(&name, "trusted.overlay.") ||
        absl::ConsumePrefix(&name, "user.overlay.")) {
      if (name == "redirect" || name == "metacopy") {
        return absl::FailedPreconditionError(absl::StrCat(
            "has the xattr `", at->first,
            "`; the overlay must be mounted with redirect_dir=nofollow and "
            "metacopy=off"));
      }
      notes.opaque |= name == "opaque" && at->second == "y";
      notes.holds_whiteouts |= name == "opaque" && at->second == "x";
      notes.whiteout |= name == "whiteout";
    }
    bool kept = LayerKeepsXattr(at->first) && !at->second.empty() &&
                at->first.find('=') == std::string::npos;
    at = kept ? std::next(at) : xattrs.erase(at);
  }
  // Version 3 capabilities name the root of a user namespace (24 bytes); in
  // an image that is always 0, which version 2 (20 bytes) means.
  auto capability = xattrs.find("security.capability");
  if (capability != xattrs.end() && capability->second.size() == 24 &&
      capability->second[3] == 3) {
    capability->second.resize(20);
    capability->second[3] = 2;
  }
  return notes;
}

absl::StatusOr<std::vector<std::string>> ListFolder(int folder) {
  // A descriptor of its own: fdopendir takes it over.
  int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* dir = copy >= 0 ? fdopendir(copy) : nullptr;
  if (dir == nullptr) {
    return ErrnoError("list the folder");
  }
  std::vector<std::string> names;
  while (dirent* child = readdir(dir)) {
    absl::string_view name = child->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

std::string Child(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : absl::StrCat(folder, "/", name);
}

// Two times after the limit are the same time to a layer.
bool SameMetadata(const Entry& a, const Entry& b, int64_t newest_time) {
  return a.type == b.type && a.mode == b.mode && a.uid == b.uid &&
         a.gid == b.gid && a.size == b.size &&
         std::min(a.mtime, newest_time) == std::min(b.mtime, newest_time) &&
         a.major == b.major && a.minor == b.minor && a.xattrs == b.xattrs &&
         (a.type != EntryType::kSymlink || a.link == b.link);
}

class Scanner {
 public:
  Scanner(const ir::Tree& below, const std::vector<std::string>& lowers,
          int64_t newest_time)
      : below_(below), lowers_(lowers), newest_time_(newest_time) {}

  absl::StatusOr<ir::StepDiff> Run(const std::string& upper) {
    ASSIGN_OR_RETURN(UniqueFd root,
                     OpenFile(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    Entry entry = {.type = EntryType::kDirectory};
    absl::Status status = ScanRoot(root.get(), entry);
    if (!status.ok()) {
      return Annotate(status, absl::StrCat("/", EscapeControls(at_)));
    }
    ResolveGroups();
    return Result();
  }

 private:
  // A path of the upper folder. `changed` is false for what equals the tree
  // below and for folders, which only count when something in them does.
  struct Found {
    Entry entry;
    bool changed = false;
    std::pair<dev_t, ino_t> inode = {};
    bool grouped = false;  // Its file has other names too.
  };

  // Only what somebody set on the root is a change: its time moves with every
  // new child, and no peer records that.
  absl::Status ScanRoot(int folder, Entry& root) {
    struct stat info;
    if (fstat(folder, &info) != 0) {
      return ErrnoError("stat");
    }
    Fill(info, root);
    ASSIGN_OR_RETURN(root.xattrs, ReadXattrs(folder, ""));
    ASSIGN_OR_RETURN(OverlayNotes notes, FilterXattrs(root.xattrs));
    const ir::Tree::Item* lower = below_.Find("");
    Entry before = lower != nullptr
                       ? lower->entry
                       : Entry{.type = EntryType::kDirectory, .mode = 0755};
    before.mtime = root.mtime;
    bool changed = !SameMetadata(before, root, newest_time_);
    found_.push_back({.entry = root, .changed = changed});
    return ScanFolder(folder, "", notes);
  }

  // `notes.opaque` is true below an opaque folder, too: the overlay merges
  // nothing there.
  absl::Status ScanFolder(int folder, const std::string& path,
                          const OverlayNotes& notes) {
    ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(folder));
    std::vector<std::string> present;
    for (const std::string& name : names) {
      at_ = Child(path, name);
      ASSIGN_OR_RETURN(bool exists, IsPresent(folder, name, notes));
      if (exists) {
        present.push_back(name);
      } else {
        AddWhiteout(Child(path, name));
      }
    }
    if (notes.opaque) {
      for (const ir::Tree::Item* lower : below_.Children(path)) {
        std::string name(BaseName(lower->entry.path));
        if (!std::binary_search(names.begin(), names.end(), name)) {
          AddWhiteout(lower->entry.path);
        }
      }
    }
    for (const std::string& name : present) {
      RETURN_IF_ERROR(ScanChild(folder, Child(path, name), name, notes));
    }
    return absl::OkStatus();
  }

  // False for the ways in which an upper folder says that a name is gone.
  absl::StatusOr<bool> IsPresent(int folder, const std::string& name,
                                 const OverlayNotes& notes) {
    struct stat info;
    if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoError("stat");
    }
    // No layer has sockets; what they cover is gone all the same.
    if (S_ISSOCK(info.st_mode) ||
        (S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0))) {
      return false;
    }
    if (notes.holds_whiteouts && S_ISREG(info.st_mode) && info.st_size == 0) {
      std::map<std::string, std::string> xattrs;
      ASSIGN_OR_RETURN(xattrs, ReadXattrs(folder, name));
      ASSIGN_OR_RETURN(OverlayNotes own, FilterXattrs(xattrs));
      return !own.whiteout;
    }
    return true;
  }

  void AddWhiteout(const std::string& path) {
    if (below_.Find(path) != nullptr) {
      found_.push_back({.entry = {.path = path, .type = EntryType::kWhiteout},
                        .changed = true});
    }
  }

  static void Fill(const struct stat& info, Entry& entry) {
    entry.mode = info.st_mode & 07777;
    entry.uid = info.st_uid;
    entry.gid = info.st_gid;
    entry.mtime = info.st_mtim.tv_sec;
    switch (info.st_mode & S_IFMT) {
      case S_IFDIR:
        entry.type = EntryType::kDirectory;
        break;
      case S_IFLNK:
        entry.type = EntryType::kSymlink;
        break;
      case S_IFCHR:
      case S_IFBLK:
        entry.type = S_ISCHR(info.st_mode) ? EntryType::kCharDevice
                                           : EntryType::kBlockDevice;
        entry.major = major(info.st_rdev);
        entry.minor = minor(info.st_rdev);
        break;
      case S_IFIFO:
        entry.type = EntryType::kFifo;
        break;
      default:
        entry.type = EntryType::kFile;
        entry.size = static_cast<uint64_t>(info.st_size);
    }
  }

  absl::Status ScanChild(int folder, const std::string& path,
                         const std::string& name, const OverlayNotes& above) {
    at_ = path;
    RETURN_IF_ERROR(CheckEntryName(path));
    struct stat info;
    if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoError("stat");
    }
    Found found = {.entry = {.path = path}};
    Entry& entry = found.entry;
    Fill(info, entry);
    ASSIGN_OR_RETURN(entry.xattrs, ReadXattrs(folder, name));
    ASSIGN_OR_RETURN(OverlayNotes notes, FilterXattrs(entry.xattrs));
    if (entry.type == EntryType::kSymlink) {
      ASSIGN_OR_RETURN(entry.link, ReadLink(folder, name));
    }
    const ir::Tree::Item* lower = below_.Find(path);
    found.changed = lower == nullptr ||
                    !SameMetadata(lower->entry, entry, newest_time_);
    if (entry.type == EntryType::kDirectory) {
      notes.opaque = notes.opaque || above.opaque;
      found_.push_back(std::move(found));
      ASSIGN_OR_RETURN(UniqueFd child,
                       OpenBeneath(folder, name, O_RDONLY | O_DIRECTORY));
      return ScanFolder(child.get(), path, notes);
    }
    if (!found.changed && entry.type == EntryType::kFile) {
      ASSIGN_OR_RETURN(bool same, SameBytes(folder, name, *lower));
      found.changed = !same;
    }
    if (entry.type == EntryType::kFile && info.st_nlink > 1) {
      found.grouped = true;
      found.inode = {info.st_dev, info.st_ino};
    }
    found_.push_back(std::move(found));
    return absl::OkStatus();
  }

  static absl::StatusOr<std::string> ReadLink(int folder,
                                              const std::string& name) {
    std::string target(4096, '\0');
    ssize_t size =
        readlinkat(folder, name.c_str(), target.data(), target.size());
    if (size < 0) {
      return ErrnoError("read the symlink");
    }
    target.resize(static_cast<size_t>(size));
    return target;
  }

  // Asked only when all metadata agree. A lower file that is not there to
  // compare with counts as different.
  absl::StatusOr<bool> SameBytes(int folder, const std::string& name,
                                 const ir::Tree::Item& lower) {
    if (lower.layer >= lowers_.size()) {
      return false;
    }
    absl::StatusOr<UniqueFd> layer =
        OpenFile(lowers_[lower.layer], O_PATH | O_DIRECTORY);
    if (!layer.ok()) {
      return false;
    }
    absl::StatusOr<UniqueFd> old =
        OpenBeneath(layer->get(), lower.entry.path, O_RDONLY | O_NONBLOCK);
    if (!old.ok()) {
      return false;
    }
    ASSIGN_OR_RETURN(UniqueFd now,
                     OpenBeneath(folder, name, O_RDONLY | O_NONBLOCK));
    std::string a(kCompareBuffer, '\0');
    std::string b(kCompareBuffer, '\0');
    while (true) {
      ASSIGN_OR_RETURN(size_t got_a, ReadFull(old->get(), a.data(), a.size()));
      ASSIGN_OR_RETURN(size_t got_b, ReadFull(now.get(), b.data(), b.size()));
      if (got_a != got_b || memcmp(a.data(), b.data(), got_a) != 0) {
        return false;
      }
      if (got_a < a.size()) {
        return true;
      }
    }
  }

  // The path that has the bytes of a file below.
  const std::string& BytesBelow(const std::string& path) const {
    const Entry& entry = below_.Find(path)->entry;
    return entry.link.empty() ? entry.path : entry.link;
  }

  // A group of hard links must not span layers: when one of its names is new
  // or changed, or the names were not one file below, all of them are written.
  // The first in the order of the layer is the file.
  void ResolveGroups() {
    std::map<std::pair<dev_t, ino_t>, std::vector<Found*>> groups;
    for (Found& found : found_) {
      if (found.grouped) {
        groups[found.inode].push_back(&found);
      }
    }
    for (auto& [inode, names] : groups) {
      bool changed = false;
      for (Found* found : names) {
        changed = changed || found->changed ||
                  BytesBelow(found->entry.path) !=
                      BytesBelow(names.front()->entry.path);
      }
      for (Found* found : names) {
        found->changed = changed;
        if (found != names.front()) {
          found->entry.type = EntryType::kHardLink;
          found->entry.link = names.front()->entry.path;
          found->entry.size = 0;
        }
      }
    }
  }

  // Every folder above a change is written, too: tools disagree on what they
  // make up for a missing one. The root is the exception.
  ir::StepDiff Result() {
    ir::StepDiff diff;
    std::string needed;
    for (auto found = found_.rbegin(); found != found_.rend(); ++found) {
      Entry& entry = found->entry;
      bool above = entry.type == EntryType::kDirectory && !entry.path.empty() &&
                   absl::StartsWith(needed, entry.path + "/");
      if (found->changed || above) {
        needed = entry.path;
        diff.entries.push_back(std::move(entry));
      }
    }
    std::reverse(diff.entries.begin(), diff.entries.end());
    ir::SortEntries(diff);
    return diff;
  }

  const ir::Tree& below_;
  const std::vector<std::string>& lowers_;
  const int64_t newest_time_;
  std::vector<Found> found_;  // Folders before what is in them.
  std::string at_;            // Where the scan is, for messages.
};

}  // namespace

absl::StatusOr<ir::StepDiff> ScanUpper(
    const std::string& upper, const ir::Tree& below,
    const std::vector<std::string>& lower_folders, int64_t newest_time) {
  ASSIGN_OR_RETURN(ir::StepDiff diff,
                   Scanner(below, lower_folders, newest_time).Run(upper));
  ir::LimitTimes(diff, newest_time);
  return diff;
}

}  // namespace lamina::backend
