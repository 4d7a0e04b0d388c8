// The second half of COPY: where the picked paths go.
#include "backend/copy.h"

#include <fcntl.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/tar/tar_reader.h"
#include "backend/tar/tar_writer.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

// The destination while it is being written: new entries over the tree below.
class Placement {
 public:
  Placement(const ir::Tree& below, int64_t now) : below_(below), now_(now) {}

  const Entry* Find(const std::string& path) const {
    auto found = added_.find(path);
    if (found != added_.end()) {
      return &found->second;
    }
    const ir::Tree::Item* item = below_.Find(path);
    return item != nullptr ? &item->entry : nullptr;
  }

  bool IsFolder(const std::string& path) const {
    const Entry* entry = Find(path);
    return path.empty() ||
           (entry != nullptr && entry->type == EntryType::kDirectory);
  }

  absl::StatusOr<std::string> Follow(const std::string& path,
                                     bool follow_last) const {
    return FollowPath(path, follow_last,
                      [this](const std::string& at) -> absl::StatusOr<PathKind> {
                        const Entry* entry = Find(at);
                        PathKind kind;
                        kind.exists = entry != nullptr;
                        kind.is_symlink =
                            kind.exists && entry->type == EntryType::kSymlink;
                        if (kind.is_symlink) {
                          kind.link = entry->link;
                        }
                        return kind;
                      });
  }

  // Makes `path` and what is missing above it; existing folders stay.
  absl::Status MakeFolders(const std::string& path, Owner owner,
                           uint32_t mode) {
    if (path.empty() || IsFolder(path)) {
      return absl::OkStatus();
    }
    if (Find(path) != nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot make the folder /", path,
                       ": a file has that name"));
    }
    RETURN_IF_ERROR(MakeFolders(std::string(DirName(path)), owner, mode));
    Entry folder;
    folder.path = path;
    folder.type = EntryType::kDirectory;
    folder.mode = mode;
    folder.uid = owner.uid;
    folder.gid = owner.gid;
    folder.mtime = now_;
    return Put(std::move(folder));
  }

  // The last component replaces what is there, but a folder is never replaced
  // by a file, nor a file by a folder.
  absl::Status Put(Entry entry) {
    if (entry.path.empty()) {
      return absl::OkStatus();  // The root's own metadata is the base's.
    }
    RETURN_IF_ERROR(CheckEntryName(entry.path));
    const Entry* old = Find(entry.path);
    if (old != nullptr) {
      bool was_folder = old->type == EntryType::kDirectory;
      bool is_folder = entry.type == EntryType::kDirectory;
      if (was_folder && !is_folder) {
        return absl::FailedPreconditionError(absl::StrCat(
            "cannot replace to directory /", entry.path, " with file"));
      }
      if (!was_folder && is_folder) {
        return absl::FailedPreconditionError(absl::StrCat(
            "cannot copy to non-directory: /", entry.path));
      }
    }
    std::string path = entry.path;
    group_of_.erase(path);
    added_[path] = std::move(entry);
    return absl::OkStatus();
  }

  // As Put, for a member of an archive: it takes the place of whatever is
  // there, but a folder does not replace a folder.
  absl::Status Replace(Entry entry) {
    const Entry* old = Find(entry.path);
    bool is_folder = entry.type == EntryType::kDirectory;
    bool was_folder = old != nullptr && old->type == EntryType::kDirectory;
    if (old == nullptr || is_folder == was_folder) {
      return Put(std::move(entry));
    }
    RETURN_IF_ERROR(CheckEntryName(entry.path));
    const ir::Tree::Item* lower = below_.Find(entry.path);
    bool hides = lower != nullptr &&
                 lower->entry.type == EntryType::kDirectory && is_folder;
    if (hides) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the archive replaces the folder /", entry.path, " twice"));
    }
    Drop(entry.path);
    added_[entry.path] = entry;
    return absl::OkStatus();
  }

  // Names of one group share one file; the first in layer order will hold the
  // bytes. Whatever is put at a name later leaves the group.
  void Link(const std::string& group, const std::string& path) {
    group_of_[path] = group;
  }

  ir::StepDiff Finish() {
    ir::StepDiff diff;
    std::set<std::string> present;
    for (const auto& [path, entry] : added_) {
      for (std::string parent(DirName(path));
           !parent.empty() && !added_.contains(parent) &&
           present.insert(parent).second;
           parent = std::string(DirName(parent))) {
        const ir::Tree::Item* item = below_.Find(parent);
        CHECK(item != nullptr);
        diff.entries.push_back(item->entry);
      }
      diff.entries.push_back(entry);
    }
    ir::SortEntries(diff);
    JoinLinks(diff);
    return diff;
  }

 private:
  // Forgets what was put at `path` and below it.
  void Drop(const std::string& path) {
    std::string below = absl::StrCat(path, "/");
    for (auto at = added_.lower_bound(path);
         at != added_.end() && absl::StartsWith(at->first, path);) {
      bool gone = at->first == path || absl::StartsWith(at->first, below);
      group_of_.erase(gone ? at->first : "");
      at = gone ? added_.erase(at) : std::next(at);
    }
  }

  void JoinLinks(ir::StepDiff& diff) {
    std::map<std::string, std::string> holder;
    for (Entry& entry : diff.entries) {
      auto group = group_of_.find(entry.path);
      if (group == group_of_.end() || entry.type != EntryType::kFile) {
        continue;
      }
      auto [first, is_first] = holder.try_emplace(group->second, entry.path);
      if (!is_first) {
        entry.type = EntryType::kHardLink;
        entry.link = first->second;
        entry.size = 0;
      }
    }
  }

  const ir::Tree& below_;
  int64_t now_;
  std::map<std::string, Entry> added_;
  std::map<std::string, std::string> group_of_;  // By path.
};

class CopyPlacer {
 public:
  CopyPlacer(const ir::Copy& copy, const CopyListing& listing,
             const SourceTrees& trees, const ir::Tree& below,
             const PlaceOptions& options)
      : copy_(copy), listing_(listing), trees_(trees), options_(options),
        placement_(below, options.now) {}

  absl::StatusOr<PlacedCopy> Place(const ReadText& read_text) {
    if (copy_.owner.given) {
      ASSIGN_OR_RETURN(owner_, ResolveOwner(copy_.owner, read_text));
    }
    ASSIGN_OR_RETURN(target_, placement_.Follow(copy_.destination, true));
    into_folder_ = copy_.parents || absl::EndsWith(copy_.destination, "/") ||
                   placement_.IsFolder(target_);
    if (copy_.parents) {
      // Made even when nothing matches.
      RETURN_IF_ERROR(placement_.MakeFolders(target_, owner_, FolderMode()));
    }
    for (uint32_t i = 0; i < listing_.items.size(); ++i) {
      RETURN_IF_ERROR(PlaceItem(listing_.items[i], i));
    }
    for (uint32_t i = 0; i < copy_.files.size(); ++i) {
      RETURN_IF_ERROR(PlaceInline(i));
    }
    placed_.diff = placement_.Finish();
    return std::move(placed_);
  }

 private:
  uint32_t FolderMode() const {
    if (!IsOctalMode(copy_.chmod)) {
      return 0755;
    }
    absl::StatusOr<uint32_t> mode = ChangeMode(copy_.chmod, 0755, true);
    return mode.ok() ? *mode : 0755;
  }

  absl::Status SetAttributes(Entry& entry) const {
    if (copy_.owner.given || !copy_.preserve_owner) {
      entry.uid = owner_.uid;
      entry.gid = owner_.gid;
    }
    if (!copy_.chmod.empty() && entry.type != EntryType::kSymlink) {
      bool is_folder = entry.type == EntryType::kDirectory;
      ASSIGN_OR_RETURN(entry.mode,
                       ChangeMode(copy_.chmod, entry.mode, is_folder));
    }
    return absl::OkStatus();
  }

  // The path of something named directly: below the destination folder, or the
  // destination itself; a symlink there was followed already.
  absl::StatusOr<std::string> NamedPath(const std::string& name) {
    std::string path = target_;
    if (into_folder_) {
      ASSIGN_OR_RETURN(path,
                       placement_.Follow(JoinPath(target_, name), true));
    }
    RETURN_IF_ERROR(placement_.MakeFolders(std::string(DirName(path)), owner_,
                                           FolderMode()));
    return path;
  }

  absl::Status PlaceItem(const PickedItem& picked, uint32_t index) {
    if (picked.archive) {
      return PlaceArchive(picked);
    }
    Entry entry = picked.item.entry;
    RETURN_IF_ERROR(SetAttributes(entry));
    if (!picked.from_folder) {
      ASSIGN_OR_RETURN(entry.path, NamedPath(picked.name));
    } else if (picked.name.empty()) {
      return PlaceTop(std::move(entry));
    } else {
      entry.path = JoinPath(target_, picked.name);
    }
    if (entry.type == EntryType::kDirectory) {
      const Entry* old = placement_.Find(entry.path);
      if (old != nullptr && old->type == EntryType::kSymlink) {
        return absl::FailedPreconditionError(absl::StrCat(
            "cannot copy a folder onto the symbolic link /", entry.path));
      }
    }
    std::string path = entry.path;
    bool is_file = entry.type == EntryType::kFile;
    RETURN_IF_ERROR(placement_.Put(std::move(entry)));
    if (is_file) {
      NoteFile(picked, index, path);
    }
    return absl::OkStatus();
  }

  void NoteFile(const PickedItem& picked, uint32_t index,
                const std::string& path) {
    placed_.origins[path] = {ContentOrigin::Kind::kSource,
                             picked.item.entry.path, index};
    // In a layer only the other names of a file name the first one.
    const std::string& first = picked.item.same_file_as.empty() &&
                                       picked.item.stamp == FileStamp()
                                   ? picked.item.entry.path
                                   : picked.item.same_file_as;
    if (!first.empty()) {
      placement_.Link(absl::StrCat(picked.match, ":", first), path);
    }
  }

  // The folder whose contents are copied: a new one is 0755 0:0 or as the
  // flags say; an existing one only takes the time of the source.
  absl::Status PlaceTop(Entry entry) {
    const Entry* old = placement_.Find(target_);
    if (old != nullptr && old->type == EntryType::kDirectory) {
      Entry kept = *old;
      kept.mtime = entry.mtime;
      return placement_.Put(std::move(kept));
    }
    if (old != nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot copy to non-directory: /", target_));
    }
    RETURN_IF_ERROR(placement_.MakeFolders(std::string(DirName(target_)),
                                           owner_, FolderMode()));
    entry.path = target_;
    entry.uid = owner_.uid;
    entry.gid = owner_.gid;
    entry.mode = 0755;
    entry.xattrs.clear();
    if (!copy_.chmod.empty()) {
      ASSIGN_OR_RETURN(entry.mode, ChangeMode(copy_.chmod, 0755, true));
    }
    return placement_.Put(std::move(entry));
  }

  absl::Status PlaceInline(uint32_t index) {
    const ir::InlineFile& file = copy_.files[index];
    Entry entry;
    entry.mode = 0644;
    entry.mtime = options_.now;
    entry.size = file.data.size();
    entry.uid = owner_.uid;
    entry.gid = owner_.gid;
    RETURN_IF_ERROR(SetAttributes(entry));
    ASSIGN_OR_RETURN(entry.path, NamedPath(file.name));
    placed_.origins[entry.path] = {ContentOrigin::Kind::kInline, "", index};
    return placement_.Put(std::move(entry));
  }

  absl::Status PlaceArchive(const PickedItem& picked) {
    RETURN_IF_ERROR(placement_.MakeFolders(target_, owner_, 0755));
    ASSIGN_OR_RETURN(UniqueFd fd,
                     trees_[picked.input - 1]->open(picked.item.entry.path));
    std::string format;
    ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> bytes,
                     Decompress(MakeFdSource(fd.get()), &format));
    TarReader reader(*bytes);
    while (true) {
      Entry entry;
      ASSIGN_OR_RETURN(bool more, reader.Next(entry));
      if (!more) {
        return absl::OkStatus();
      }
      absl::Status status = PlaceMember(reader, std::move(entry));
      if (!status.ok()) {
        return Annotate(status, absl::StrCat("in ", picked.item.entry.path));
      }
    }
  }

  absl::Status PlaceMember(TarReader& reader, Entry entry) {
    if (entry.path.empty()) {
      return absl::OkStatus();
    }
    std::string name = JoinPath(target_, entry.path);
    ASSIGN_OR_RETURN(std::string folder,
                     placement_.Follow(std::string(DirName(name)), true));
    RETURN_IF_ERROR(placement_.MakeFolders(folder, owner_, 0755));
    entry.path = JoinPath(folder, BaseName(name));
    if (copy_.owner.given) {
      entry.uid = owner_.uid;
      entry.gid = owner_.gid;
    }
    if (entry.type == EntryType::kHardLink) {
      return PlaceMemberLink(std::move(entry));
    }
    if (entry.type == EntryType::kFile) {
      std::string path = JoinPath(
          options_.scratch, absl::StrCat("member.", members_++));
      RETURN_IF_ERROR(Save(reader, path));
      placed_.origins[entry.path] = {ContentOrigin::Kind::kScratch, path, 0};
    }
    return placement_.Replace(std::move(entry));
  }

  // A hard link of an archive: a second name of a member, with its metadata.
  absl::Status PlaceMemberLink(Entry entry) {
    ASSIGN_OR_RETURN(
        std::string target,
        placement_.Follow(JoinPath(target_, entry.link), false));
    const Entry* first = placement_.Find(target);
    if (first != nullptr && first->type != EntryType::kFile &&
        first->type != EntryType::kDirectory) {
      Entry second = *first;
      second.path = entry.path;
      return placement_.Replace(std::move(second));
    }
    auto origin = placed_.origins.find(target);
    if (first == nullptr || origin == placed_.origins.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("hard link `", entry.path, "` names `", entry.link,
                       "`, which is no file of the archive"));
    }
    Entry second = *first;
    second.path = entry.path;
    if (target == entry.path) {
      return absl::OkStatus();
    }
    ContentOrigin bytes = origin->second;
    placed_.origins[entry.path] = bytes;
    RETURN_IF_ERROR(placement_.Replace(std::move(second)));
    placement_.Link(bytes.path, target);
    placement_.Link(bytes.path, entry.path);
    return absl::OkStatus();
  }

  static absl::Status Save(TarReader& reader, const std::string& path) {
    ASSIGN_OR_RETURN(UniqueFd out,
                     OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
    std::string buffer(256 * 1024, '\0');
    while (true) {
      ASSIGN_OR_RETURN(size_t size,
                       reader.ReadContent(buffer.data(), buffer.size()));
      if (size == 0) {
        return absl::OkStatus();
      }
      RETURN_IF_ERROR(
          WriteAll(out.get(), absl::string_view(buffer).substr(0, size)));
    }
  }

  const ir::Copy& copy_;
  const CopyListing& listing_;
  const SourceTrees& trees_;
  const PlaceOptions& options_;
  Placement placement_;
  Owner owner_;
  std::string target_;
  bool into_folder_ = false;
  uint32_t members_ = 0;
  PlacedCopy placed_;
};

}  // namespace

absl::StatusOr<PlacedCopy> PlaceCopy(const ir::Copy& copy,
                                     const CopyListing& listing,
                                     const SourceTrees& trees,
                                     const ir::Tree& below,
                                     const ReadText& read_text,
                                     const PlaceOptions& options) {
  // --link copies onto an empty tree; BuildKit ignores it beside --chmod.
  static const ir::Tree kEmpty;
  bool link = copy.link && copy.chmod.empty();
  CopyPlacer placer(copy, listing, trees, link ? kEmpty : below, options);
  return placer.Place(read_text);
}

absl::StatusOr<ir::StepDiff> PlaceFolder(const ir::MakeDir& make,
                                         const ir::Tree& below,
                                         const ReadText& read_text,
                                         int64_t now) {
  Placement placement(below, now);
  ASSIGN_OR_RETURN(std::string path, placement.Follow(make.path, true));
  if (placement.IsFolder(path)) {
    return ir::StepDiff();
  }
  ir::Ownership ownership;
  size_t colon = make.user.find(':');
  ownership.user = make.user.substr(0, colon);
  ownership.group =
      colon == std::string::npos ? "" : make.user.substr(colon + 1);
  ASSIGN_OR_RETURN(Owner owner, ResolveOwner(ownership, read_text));
  RETURN_IF_ERROR(placement.MakeFolders(path, owner, 0755));
  return placement.Finish();
}

}  // namespace lamina::backend
