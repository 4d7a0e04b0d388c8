#include "backend/overlay_attributes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// The xattr calls know no folder descriptors, and an O_PATH descriptor of a
// symlink is of no use to them; this path crosses one magic link, ours.
std::string ProcPath(int folder, const std::string& name) {
  return absl::StrCat("/proc/self/fd/", folder, "/", name.empty() ? "." : name);
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ReadXattrs(
    int folder, const std::string& name) {
  std::map<std::string, std::string> xattrs;
  std::string path = ProcPath(folder, name);
  char list[64 << 10];  // XATTR_LIST_MAX
  ssize_t size = llistxattr(path.c_str(), list, sizeof list);
  if (size <= 0) {
    return size == 0 || errno == ENOTSUP
               ? absl::StatusOr<std::map<std::string, std::string>>(xattrs)
               : ErrnoError("list the xattrs");
  }
  std::string value;
  for (absl::string_view key :
       absl::StrSplit(absl::string_view(list, static_cast<size_t>(size)), '\0',
                      absl::SkipEmpty())) {
    std::string text(key);
    value.resize(64 << 10);  // XATTR_SIZE_MAX
    ssize_t got =
        lgetxattr(path.c_str(), text.c_str(), value.data(), value.size());
    if (got < 0 && errno != ENODATA) {
      return ErrnoError(absl::StrCat("read the xattr ", key));
    }
    if (got >= 0) {
      xattrs[text] = value.substr(0, static_cast<size_t>(got));
    }
  }
  return xattrs;
}

absl::Status ApplyMetadata(int folder, const std::string& name,
                           const ir::Entry& entry) {
  const char* at = name.empty() ? "." : name.c_str();
  if (fchownat(folder, at, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoError(
        absl::StrCat("change the owner to ", entry.uid, ":", entry.gid));
  }
  if (!entry.xattrs.empty()) {
    std::string path = ProcPath(folder, name);
    for (const auto& [key, value] : entry.xattrs) {
      if (lsetxattr(path.c_str(), key.c_str(), value.data(), value.size(), 0) !=
              0 &&
          errno != ENOTSUP && errno != EPERM) {
        return ErrnoError(absl::StrCat("set the xattr ", key));
      }
    }
  }
  // `name` was made by us in a folder of ours; a symlink has no mode.
  if (entry.type != ir::EntryType::kSymlink &&
      fchmodat(folder, at, entry.mode, 0) != 0) {
    return ErrnoError("change the mode");
  }
  timespec times[2] = {{.tv_sec = entry.mtime}, {.tv_sec = entry.mtime}};
  if (utimensat(folder, at, times, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoError("set the time");
  }
  return absl::OkStatus();
}

}  // namespace lamina::backend
