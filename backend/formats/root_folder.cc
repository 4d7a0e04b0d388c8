// The merged root file system as a folder.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backend/formats/formats.h"
#include "backend/formats/merged_tree.h"
#include "backend/formats/output_file.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// Writes the entries of a tree below a folder that may have content already:
// folders are merged, other files replaced. Owners are kept when we may set
// them, else everything belongs to the caller.
class FolderWriter {
 public:
  FolderWriter(const MergedTree& tree, int root)
      : tree_(tree), root_(root), is_root_(geteuid() == 0) {}

  absl::Status Write() {
    for (const ir::Entry& entry : tree_.entries()) {
      RETURN_IF_ERROR(
          Annotate(WriteEntry(entry), absl::StrCat("/", entry.path)));
    }
    // Deepest first, and last of all: a new child changes its folder's time.
    const std::vector<ir::Entry>& entries = tree_.entries();
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      if (entry->type == ir::EntryType::kDirectory) {
        RETURN_IF_ERROR(FinishFolder(*entry));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<UniqueFd> OpenFolder(const std::string& path) {
    return OpenBeneath(root_, path.empty() ? "." : path,
                       O_RDONLY | O_DIRECTORY);
  }

  absl::Status WriteEntry(const ir::Entry& entry) {
    if (entry.path.empty()) {
      return absl::OkStatus();
    }
    std::string parent_path(DirName(entry.path));
    ASSIGN_OR_RETURN(UniqueFd parent, OpenFolder(parent_path));
    std::string name(BaseName(entry.path));
    struct stat old = {};
    bool exists =
        fstatat(parent.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
    bool is_folder = exists && S_ISDIR(old.st_mode);
    if (entry.type == ir::EntryType::kDirectory && is_folder) {
      return absl::OkStatus();
    }
    // A folder of the user's is not deleted for a file: unlinkat fails.
    if (exists && unlinkat(parent.get(), name.c_str(), 0) != 0) {
      return ErrnoError("replace");
    }
    RETURN_IF_ERROR(Create(entry, parent.get(), name));
    return entry.type == ir::EntryType::kDirectory ||
                   entry.type == ir::EntryType::kHardLink
               ? absl::OkStatus()
               : SetMetadata(entry, parent.get(), name);
  }

  absl::Status Create(const ir::Entry& entry, int parent,
                      const std::string& name) {
    dev_t device = makedev(entry.major, entry.minor);
    int result = 0;
    switch (entry.type) {
      case ir::EntryType::kFile:
        return CreateFile(entry, parent, name);
      case ir::EntryType::kHardLink:
        return CreateHardLink(entry, parent, name);
      case ir::EntryType::kDirectory:
        result = mkdirat(parent, name.c_str(), 0700);
        break;
      case ir::EntryType::kSymlink:
        result = symlinkat(entry.link.c_str(), parent, name.c_str());
        break;
      case ir::EntryType::kFifo:
        result = mknodat(parent, name.c_str(), S_IFIFO | 0600, 0);
        break;
      case ir::EntryType::kCharDevice:
        result = mknodat(parent, name.c_str(), S_IFCHR | 0600, device);
        break;
      case ir::EntryType::kBlockDevice:
        result = mknodat(parent, name.c_str(), S_IFBLK | 0600, device);
        break;
      case ir::EntryType::kWhiteout:
      case ir::EntryType::kOpaque:
        CHECK(false);
    }
    return result == 0 ? absl::OkStatus() : ErrnoError("create");
  }

  absl::Status CreateFile(const ir::Entry& entry, int parent,
                          const std::string& name) {
    ASSIGN_OR_RETURN(UniqueFd from, tree_.OpenFile(entry));
    struct stat status = {};
    if (fstat(from.get(), &status) != 0) {
      return ErrnoError("read");
    }
    UniqueFd to(openat(parent, name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       0600));
    if (!to.valid()) {
      return ErrnoError("create");
    }
    return CopyBytes(from.get(), to.get(), status.st_size);
  }

  absl::Status CreateHardLink(const ir::Entry& entry, int parent,
                              const std::string& name) {
    ASSIGN_OR_RETURN(UniqueFd folder,
                     OpenFolder(std::string(DirName(entry.link))));
    std::string target(BaseName(entry.link));
    return linkat(folder.get(), target.c_str(), parent, name.c_str(), 0) == 0
               ? absl::OkStatus()
               : ErrnoError("link");
  }

  // chown clears set-uid bits and capabilities, so it comes first.
  absl::Status SetMetadata(const ir::Entry& entry, int parent,
                           const std::string& name) {
    if (is_root_ && fchownat(parent, name.c_str(), entry.uid, entry.gid,
                             AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoError("set the owner");
    }
    std::string path = absl::StrCat("/proc/self/fd/", parent, "/", name);
    for (const auto& [key, value] : entry.xattrs) {
      bool set = lsetxattr(path.c_str(), key.c_str(), value.data(),
                           value.size(), 0) == 0;
      if (!set && errno != ENOTSUP && errno != EPERM) {
        return ErrnoError(absl::StrCat("set ", key));
      }
    }
    if (entry.type != ir::EntryType::kSymlink &&
        fchmodat(parent, name.c_str(), entry.mode, 0) != 0) {
      return ErrnoError("set the mode");
    }
    timespec times[2] = {{.tv_sec = entry.mtime}, {.tv_sec = entry.mtime}};
    if (utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoError("set the time");
    }
    return absl::OkStatus();
  }

  absl::Status FinishFolder(const ir::Entry& entry) {
    ASSIGN_OR_RETURN(UniqueFd folder, OpenFolder(entry.path));
    return Annotate(SetMetadata(entry, folder.get(), "."),
                    absl::StrCat("/", entry.path));
  }

  const MergedTree& tree_;
  int root_;
  bool is_root_;
};

absl::Status WriteRootFolder(const std::vector<ExportImage>& images,
                             Store& store, const ExportOptions& options) {
  if (images.size() != 1 || options.dest == "-") {
    return absl::InvalidArgumentError(
        "a folder can only be written from one image, and not to standard "
        "output");
  }
  ASSIGN_OR_RETURN(MergedTree tree,
                   MergedTree::Open(images.front().image, store));
  RETURN_IF_ERROR(MakeDirs(options.dest));
  ASSIGN_OR_RETURN(UniqueFd root,
                   OpenFile(options.dest, O_RDONLY | O_DIRECTORY));
  return Annotate(FolderWriter(tree, root.get()).Write(),
                  absl::StrCat("while writing ", options.dest));
}

}  // namespace

extern const Format kRootFolder;
constinit const Format kRootFolder = {
    .name = "local",
    .summary = "root file system as a folder",
    .write = WriteRootFolder,
};

}  // namespace lamina::backend
