#include "backend/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/layer_view.h"
#include "backend/overlay_attributes.h"
#include "backend/tar/tar_writer.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

constexpr size_t kCopyBuffer = 1 << 20;

absl::Status About(const Entry& entry, const absl::Status& status) {
  return Annotate(status, absl::StrCat("/", EscapeControls(entry.path)));
}

bool IsBelow(absl::string_view path, absl::string_view folder) {
  return folder.empty()
             ? !path.empty()
             : path.size() > folder.size() && path[folder.size()] == '/' &&
                   path.substr(0, folder.size()) == folder;
}

// One layer on its way into a folder. All work in the folder goes through
// descriptors of real folders in it that this class made itself; symlinks are
// resolved here, in the metadata, and never by the kernel.
class Unpacker {
 public:
  Unpacker(const ir::Tree& below, const std::vector<std::string>& lowers)
      : below_(below),
        lowers_(lowers),
        view_(below),
        buffer_(kCopyBuffer, '\0') {}

  absl::StatusOr<ir::StepDiff> Run(ByteSource& tar, const std::string& path) {
    if (mkdir(path.c_str(), 0700) != 0) {
      return ErrnoError(absl::StrCat("create folder ", path));
    }
    ASSIGN_OR_RETURN(root_, OpenFile(path, O_RDONLY | O_DIRECTORY));
    TarReader reader(tar);
    while (true) {
      Entry entry;
      ASSIGN_OR_RETURN(bool more, reader.Next(entry));
      if (!more) {
        break;
      }
      absl::Status status = Add(reader, entry);
      if (!status.ok()) {
        return About(entry, status);
      }
    }
    RETURN_IF_ERROR(reader.Drain());
    RETURN_IF_ERROR(MakeDeletions());
    RETURN_IF_ERROR(FinishFolders());
    return Result();
  }

 private:
  absl::Status Add(TarReader& reader, Entry& entry) {
    ASSIGN_OR_RETURN(bool used, InterpretWhiteout(entry));
    if (!used) {
      return absl::OkStatus();
    }
    if (entry.type == EntryType::kOpaque) {
      ASSIGN_OR_RETURN(std::string folder, view_.Resolve(entry.path, true));
      view_.opaque.insert(folder);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(entry.path, view_.Place(entry.path));
    if (entry.type == EntryType::kWhiteout) {
      view_.deleted.insert(entry.path);
      return absl::OkStatus();
    }
    if (entry.path.empty()) {
      view_.entries.insert_or_assign("", std::move(entry));
      return absl::OkStatus();
    }
    // A symlink on the way may have led to the name of a deletion.
    RETURN_IF_ERROR(CheckEntryName(entry.path));
    RETURN_IF_ERROR(MakeParents(entry.path));
    ASSIGN_OR_RETURN(int parent, OpenFolder(std::string(DirName(entry.path))));
    return Create(reader, entry, parent);
  }

  absl::Status Create(TarReader& reader, Entry& entry, int parent) {
    std::string name(BaseName(entry.path));
    std::string target;
    if (entry.type == EntryType::kHardLink) {
      // Before anything is removed: a link onto itself changes nothing.
      ASSIGN_OR_RETURN(std::string resolved, ResolveLink(entry.link));
      target = resolved;
      if (target == entry.path) {
        return absl::OkStatus();
      }
    }
    auto old = view_.entries.find(entry.path);
    if (old != view_.entries.end()) {
      bool both = old->second.type == EntryType::kDirectory &&
                  entry.type == EntryType::kDirectory;
      if (both) {
        old->second = entry;
        implied_.erase(entry.path);
        return absl::OkStatus();
      }
      // What was in the way has hidden the layers below for good.
      if (entry.type == EntryType::kDirectory) {
        view_.deleted.insert(entry.path);
      }
      RETURN_IF_ERROR(Remove(entry.path, parent, name));
    }
    switch (entry.type) {
      case EntryType::kDirectory:
        if (mkdirat(parent, name.c_str(), 0700) != 0) {
          return ErrnoError("create the folder");
        }
        break;
      case EntryType::kFile:
        RETURN_IF_ERROR(CreateFile(reader, entry, parent, name));
        break;
      case EntryType::kHardLink:
        return CreateLink(entry, target, parent, name);
      default:
        RETURN_IF_ERROR(CreateSpecial(entry, parent, name));
    }
    std::string path = entry.path;
    view_.entries.insert_or_assign(path, std::move(entry));
    entry.path = std::move(path);
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ResolveLink(const std::string& link) const {
    bool up = link == ".." || link.find("../") != std::string::npos ||
              link.find("/..") != std::string::npos;
    if (up) {
      return view_.Resolve(link, false);
    }
    return view_.Place(link);
  }

  absl::Status CreateFile(TarReader& reader, Entry& entry, int parent,
                          const std::string& name) {
    UniqueFd file(openat(parent, name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                         0600));
    if (!file.valid()) {
      return ErrnoError("create the file");
    }
    while (true) {
      ASSIGN_OR_RETURN(size_t got,
                       reader.ReadContent(buffer_.data(), buffer_.size()));
      if (got == 0) {
        break;
      }
      hasher_.Update(buffer_.data(), got);
      RETURN_IF_ERROR(WriteAll(file.get(), {buffer_.data(), got}));
    }
    entry.digest = hasher_.Finish();
    return ApplyMetadata(parent, name, entry);
  }

  absl::Status CreateSpecial(const Entry& entry, int parent,
                             const std::string& name) {
    int result = 0;
    if (entry.type == EntryType::kSymlink) {
      result = symlinkat(entry.link.c_str(), parent, name.c_str());
    } else if (entry.type == EntryType::kFifo) {
      result = mkfifoat(parent, name.c_str(), 0600);
    } else {
      bool block = entry.type == EntryType::kBlockDevice;
      if (!block && entry.major == 0 && entry.minor == 0) {
        return absl::InvalidArgumentError(
            "a character device 0:0 marks deleted files in an overlay");
      }
      result = mknodat(parent, name.c_str(), (block ? S_IFBLK : S_IFCHR) | 0600,
                       makedev(entry.major, entry.minor));
    }
    if (result != 0) {
      return ErrnoError("create it");
    }
    return ApplyMetadata(parent, name, entry);
  }

  // A link within the layer is a link; to a file below it is a copy, because
  // a group of links must not span layers.
  absl::Status CreateLink(Entry& entry, const std::string& target, int parent,
                          const std::string& name) {
    auto own = view_.entries.find(target);
    if (own == view_.entries.end()) {
      return CopyLower(entry, target, parent, name);
    }
    if (own->second.type == EntryType::kDirectory) {
      return absl::InvalidArgumentError("a hard link to a folder");
    }
    std::string folder(DirName(target));
    ASSIGN_OR_RETURN(UniqueFd from,
                     OpenBeneath(root_.get(), folder, O_PATH | O_DIRECTORY));
    std::string source(BaseName(target));
    if (linkat(from.get(), source.c_str(), parent, name.c_str(), 0) != 0) {
      return ErrnoError("link it");
    }
    Entry link = own->second;
    link.path = entry.path;
    if (link.type == EntryType::kFile || link.type == EntryType::kHardLink) {
      link.link = link.type == EntryType::kFile ? target : link.link;
      link.type = EntryType::kHardLink;
      link.size = 0;
      link.digest = Digest{};
    }
    view_.entries.insert_or_assign(entry.path, std::move(link));
    return absl::OkStatus();
  }

  absl::Status CopyLower(const Entry& entry, const std::string& target,
                         int parent, const std::string& name) {
    const ir::Tree::Item* item = view_.FindBelow(target);
    if (item == nullptr || item->entry.type == EntryType::kDirectory) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a hard link to `", EscapeControls(entry.link), "`, ",
          item == nullptr ? "which does not exist" : "which is a folder"));
    }
    Entry copy = item->entry;
    copy.path = entry.path;
    if (copy.type == EntryType::kFile) {
      copy.link.clear();
      RETURN_IF_ERROR(CopyBytes(*item, copy, parent, name));
      RETURN_IF_ERROR(ApplyMetadata(parent, name, copy));
    } else {
      RETURN_IF_ERROR(CreateSpecial(copy, parent, name));
    }
    view_.entries.insert_or_assign(entry.path, std::move(copy));
    return absl::OkStatus();
  }

  absl::Status CopyBytes(const ir::Tree::Item& item, Entry& copy, int parent,
                         const std::string& name) {
    if (item.layer >= lowers_.size()) {
      return absl::FailedPreconditionError(
          absl::StrCat("layer ", item.layer, " below is not unpacked"));
    }
    ASSIGN_OR_RETURN(UniqueFd lower,
                     OpenFile(lowers_[item.layer], O_PATH | O_DIRECTORY));
    ASSIGN_OR_RETURN(UniqueFd from,
                     OpenBeneath(lower.get(), item.entry.path,
                                 O_RDONLY | O_NONBLOCK | O_NOFOLLOW));
    UniqueFd to(openat(parent, name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       0600));
    if (!to.valid()) {
      return ErrnoError("create the file");
    }
    copy.size = 0;
    while (true) {
      ASSIGN_OR_RETURN(size_t got,
                       ReadFull(from.get(), buffer_.data(), buffer_.size()));
      hasher_.Update(buffer_.data(), got);
      copy.size += got;
      RETURN_IF_ERROR(WriteAll(to.get(), {buffer_.data(), got}));
      if (got < buffer_.size()) {
        break;
      }
    }
    copy.digest = hasher_.Finish();
    return absl::OkStatus();
  }

  // Removes what this layer has made at `path`. When the first name of a group
  // of hard links goes, the next name takes its place.
  absl::Status Remove(const std::string& path, int parent,
                      const std::string& name) {
    RETURN_IF_ERROR(RemoveTree(parent, name));
    open_path_ = std::nullopt;
    std::vector<Entry> gone;
    auto at = view_.entries.find(path);
    while (at != view_.entries.end() &&
           (at->first == path || IsBelow(at->first, path))) {
      implied_.erase(at->first);
      gone.push_back(std::move(at->second));
      at = view_.entries.erase(at);
    }
    for (const Entry& file : gone) {
      if (file.type == EntryType::kFile) {
        Inherit(file);
      }
    }
    return absl::OkStatus();
  }

  void Inherit(const Entry& file) {
    std::string heir;
    for (auto& [path, other] : view_.entries) {
      if (other.type != EntryType::kHardLink || other.link != file.path) {
        continue;
      }
      if (heir.empty()) {
        heir = path;
        other = file;
        other.path = path;
      } else {
        other.link = heir;
      }
    }
  }

  // Folders that the tar does not list: as the tree below has them, else 0755.
  absl::Status MakeParents(const std::string& path) {
    std::string folder(DirName(path));
    if (view_.HasFolder(folder)) {
      return absl::OkStatus();
    }
    const Entry* lower = view_.Find(folder);
    bool copied = lower != nullptr && lower->type == EntryType::kDirectory;
    if (lower != nullptr && !copied) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", EscapeControls(folder), "` is no folder"));
    }
    RETURN_IF_ERROR(MakeParents(folder));
    Entry made = copied ? *lower
                        : Entry{.path = folder,
                                .type = EntryType::kDirectory,
                                .mode = 0755};
    ASSIGN_OR_RETURN(int parent, OpenFolder(std::string(DirName(folder))));
    std::string name(BaseName(folder));
    if (mkdirat(parent, name.c_str(), 0700) != 0) {
      return ErrnoError("create the folder above");
    }
    if (copied) {
      implied_.insert(folder);
    }
    view_.entries.insert_or_assign(folder, std::move(made));
    return absl::OkStatus();
  }

  // A folder that this layer made. The last one stays open: a tar is sorted.
  absl::StatusOr<int> OpenFolder(const std::string& path) {
    if (path.empty()) {
      return root_.get();
    }
    if (open_path_ != path) {
      ASSIGN_OR_RETURN(open_,
                       OpenBeneath(root_.get(), path, O_PATH | O_DIRECTORY));
      open_path_ = path;
    }
    return open_.get();
  }

  // Deletions come last: wherever they stand, they act on the layers below
  // only, and what this layer has at the same place decides their form.
  absl::Status MakeDeletions() {
    for (auto at = view_.deleted.begin(); at != view_.deleted.end();) {
      const ir::Tree::Item* lower = below_.Find(*at);
      auto own = view_.entries.find(*at);
      bool useless = lower == nullptr || view_.IsBelowDeletion(*at);
      if (!useless && own != view_.entries.end() &&
          own->second.type == EntryType::kDirectory) {
        opaque_folders_.insert(*at);
      }
      if (!useless && own == view_.entries.end()) {
        RETURN_IF_ERROR(MakeWhiteout(*at));
      }
      at = useless ? view_.deleted.erase(at) : std::next(at);
    }
    for (auto at = view_.opaque.begin(); at != view_.opaque.end();) {
      const ir::Tree::Item* lower = below_.Find(*at);
      bool hides = at->empty() ? !below_.items().empty()
                               : lower != nullptr &&
                                     lower->entry.type == EntryType::kDirectory;
      auto own = view_.entries.find(*at);
      bool replaced = own != view_.entries.end() &&
                      own->second.type != EntryType::kDirectory;
      if (hides && !replaced && !view_.IsHidden(*at)) {
        opaque_folders_.insert(*at);
        ++at;
      } else {
        at = view_.opaque.erase(at);
      }
    }
    for (const std::string& folder : opaque_folders_) {
      if (!folder.empty() && !view_.entries.contains(folder)) {
        RETURN_IF_ERROR(MakeParents(ChildPath(folder, "x")));
      }
    }
    return absl::OkStatus();
  }

  absl::Status MakeWhiteout(const std::string& path) {
    RETURN_IF_ERROR(MakeParents(path));
    ASSIGN_OR_RETURN(int parent, OpenFolder(std::string(DirName(path))));
    std::string name(BaseName(path));
    if (mknodat(parent, name.c_str(), S_IFCHR, makedev(0, 0)) != 0) {
      return ErrnoError(
          absl::StrCat("mark /", EscapeControls(path), " as deleted"));
    }
    return absl::OkStatus();
  }

  // Last, because children change the times of their folders.
  absl::Status FinishFolders() {
    for (const std::string& folder : opaque_folders_) {
      ASSIGN_OR_RETURN(UniqueFd fd, OpenBeneath(root_.get(), folder,
                                                O_RDONLY | O_DIRECTORY));
      if (fsetxattr(fd.get(), "trusted.overlay.opaque", "y", 1, 0) != 0) {
        return ErrnoError(
            absl::StrCat("make /", EscapeControls(folder), " opaque"));
      }
    }
    Entry root = {.type = EntryType::kDirectory, .mode = 0755};
    if (const ir::Tree::Item* lower = below_.Find("")) {
      root = lower->entry;
    }
    for (auto at = view_.entries.rbegin(); at != view_.entries.rend(); ++at) {
      const Entry& entry = at->second;
      if (entry.type != EntryType::kDirectory || entry.path.empty()) {
        root = entry.path.empty() ? entry : root;
        continue;
      }
      ASSIGN_OR_RETURN(int parent,
                       OpenFolder(std::string(DirName(entry.path))));
      absl::Status status =
          ApplyMetadata(parent, std::string(BaseName(entry.path)), entry);
      if (!status.ok()) {
        return About(entry, status);
      }
    }
    return ApplyMetadata(root_.get(), "", root);
  }

  ir::StepDiff Result() const {
    ir::StepDiff diff;
    for (const std::string& path : view_.deleted) {
      diff.entries.push_back({.path = path, .type = EntryType::kWhiteout});
    }
    for (const std::string& path : view_.opaque) {
      diff.entries.push_back({.path = path, .type = EntryType::kOpaque});
    }
    for (const auto& [path, entry] : view_.entries) {
      // A folder made for what is in it is no change of its own.
      if (!implied_.contains(path) || view_.IsHidden(path)) {
        diff.entries.push_back(entry);
      }
    }
    ir::SortEntries(diff);
    OrderHardLinks(diff);
    return diff;
  }

  const ir::Tree& below_;
  const std::vector<std::string>& lowers_;
  LayerView view_;
  std::string buffer_;
  Hasher hasher_;
  UniqueFd root_;
  UniqueFd open_;
  std::optional<std::string> open_path_;  // Of `open_`.
  std::set<std::string> implied_;         // Folders that the tar did not list.
  // Where trusted.overlay.opaque goes: opaque markers, and deletions of
  // folders that this layer has too.
  std::set<std::string> opaque_folders_;
};

}  // namespace

absl::StatusOr<ir::StepDiff> UnpackLayer(
    ByteSource& tar, const ir::Tree& below,
    const std::vector<std::string>& lower_folders, const std::string& path) {
  return Unpacker(below, lower_folders).Run(tar, path);
}

}  // namespace lamina::backend
