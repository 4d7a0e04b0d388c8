#include "runtime/stubs.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "absl/strings/string_view.h"
#include "runtime/kernel.h"
#include "runtime/mounts.h"

namespace lamina::runtime {
namespace {

constexpr int kMaxSymlinks = 40;

// A path in a fixed buffer, for code that must not allocate.
class FixedPath {
 public:
  bool Assign(absl::string_view text) {
    length_ = 0;
    return Append(text);
  }
  bool Append(absl::string_view text) {
    if (length_ + text.size() >= sizeof text_) {
      return false;
    }
    memcpy(text_ + length_, text.data(), text.size());
    length_ += text.size();
    text_[length_] = '\0';
    return true;
  }
  // "a/b" with the component "c" is "a/b/c".
  bool Push(absl::string_view component) {
    return (length_ == 0 || Append("/")) && Append(component);
  }
  void Pop() {
    while (length_ > 0 && text_[length_ - 1] != '/') {
      --length_;
    }
    length_ -= length_ > 0 ? 1 : 0;
    text_[length_] = '\0';
  }
  const char* c_str() const { return length_ == 0 ? "." : text_; }
  absl::string_view view() const { return {text_, length_}; }

 private:
  char text_[PATH_MAX] = {};
  size_t length_ = 0;
};

enum class Found { kYes, kMissing, kImpossible };

// Follows `path` inside `root` as far as it exists. `resolved` is then free of
// symlinks, relative to the root.
Found Resolve(int root, absl::string_view path, FixedPath& resolved) {
  FixedPath rest;
  FixedPath link;
  rest.Assign(path);
  bool missing = false;
  int symlinks = 0;
  while (!rest.view().empty()) {
    absl::string_view text = rest.view();
    size_t end = text.find('/');
    absl::string_view part = text.substr(0, end);
    absl::string_view after =
        end == absl::string_view::npos ? "" : text.substr(end + 1);
    if (part == "..") {
      resolved.Pop();
    } else if (!part.empty() && part != ".") {
      if (!resolved.Push(part)) {
        return Found::kImpossible;
      }
      struct stat info;
      char target[PATH_MAX];
      if (missing ||
          fstatat(root, resolved.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        missing = true;
      } else if (S_ISLNK(info.st_mode)) {
        ssize_t size =
            readlinkat(root, resolved.c_str(), target, sizeof target - 1);
        if (size < 0 || ++symlinks > kMaxSymlinks ||
            !link.Assign({target, static_cast<size_t>(size)}) ||
            !link.Append("/") || !link.Append(after)) {
          return Found::kImpossible;
        }
        if (target[0] == '/') {
          resolved.Assign("");
        } else {
          resolved.Pop();
        }
        rest = link;
        continue;
      } else if (!S_ISDIR(info.st_mode) && !after.empty()) {
        return Found::kImpossible;
      }
    }
    FixedPath shorter;
    shorter.Assign(after);
    rest = shorter;
  }
  return missing ? Found::kMissing : Found::kYes;
}

// The layer's folder hides the attributes of the image's one below it.
void CopyAttributes(int root, int top, const char* path) {
  int from = OpenAt2(root, path, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT);
  int to = openat(top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat info;
  if (from >= 0 && to >= 0 && fstat(from, &info) == 0) {
    char names[4096];
    char value[4096];
    ssize_t size = flistxattr(from, names, sizeof names);
    for (ssize_t at = 0; at < size;
         at += static_cast<ssize_t>(strlen(names + at)) + 1) {
      ssize_t length = fgetxattr(from, names + at, value, sizeof value);
      if (length >= 0) {
        fsetxattr(to, names + at, value, static_cast<size_t>(length), 0);
      }
    }
    [[maybe_unused]] int ignored = fchown(to, info.st_uid, info.st_gid);
    fchmod(to, info.st_mode & 07777);
    timespec times[2] = {info.st_atim, info.st_mtim};
    futimens(to, times);
  }
  close(from);
  close(to);
}

bool MakeStub(int top, absl::string_view path, bool is_folder) {
  FixedPath made;
  while (!path.empty()) {
    size_t end = path.find('/');
    made.Push(path.substr(0, end));
    bool last = end == absl::string_view::npos;
    path = last ? "" : path.substr(end + 1);
    if (!last || is_folder) {
      if (mkdirat(top, made.c_str(), 0755) != 0 && errno != EEXIST) {
        return false;
      }
      continue;
    }
    int fd = openat(top, made.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) {
      return false;
    }
    close(fd);
  }
  return true;
}

}  // namespace

void MountStubs(const Channel& channel, const std::vector<StubTarget>& targets,
                const std::vector<StubFile>& files) {
  constexpr MountOption kOptions[] = {{"mode", "755"}};
  int tree = NewMount(channel, "tmpfs", MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
                      kOptions, std::size(kOptions));
  for (const char* layer : {"bottom", "top"}) {
    if (mkdirat(tree, layer, 0755) != 0) {
      channel.Fail(errno, "make the layer of mount targets");
    }
  }
  int bottom = openat(tree, "bottom", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (const StubTarget& target : targets) {
    absl::string_view path = target.path;
    path.remove_prefix(1);
    if (!MakeStub(bottom, path, target.is_folder)) {
      channel.Fail(errno, "make the mount target", target.path);
    }
  }
  for (const StubFile& file : files) {
    int fd = openat(tree, file.name.c_str(),
                    O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    ssize_t size = static_cast<ssize_t>(file.text.size());
    if (fd < 0 || write(fd, file.text.data(), file.text.size()) != size ||
        ((file.uid != 0 || file.gid != 0) &&
         fchown(fd, file.uid, file.gid) != 0) ||
        fchmod(fd, file.mode) != 0) {
      channel.Fail(errno, "write the file", file.name);
    }
    close(fd);
  }
  if (move_mount(tree, "", AT_FDCWD, kStubPoint, MOVE_MOUNT_F_EMPTY_PATH) !=
      0) {
    channel.Fail(errno, "mount the layer of mount targets");
  }
  close(bottom);
  close(tree);
}

bool AddHiddenStubs(const Channel& channel, int root,
                    const std::vector<StubTarget>& targets) {
  int folder = -1;
  FixedPath resolved;
  bool any = false;
  for (const StubTarget& target : targets) {
    resolved.Assign("");
    Found found = Resolve(root, target.path, resolved);
    if (found == Found::kImpossible && target.required) {
      channel.Fail(ENOTDIR, "make the mount target", target.path);
    }
    if (found != Found::kMissing) {
      continue;
    }
    if (folder < 0) {
      folder = open(kTopStubs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (!MakeStub(folder, resolved.view(), target.is_folder)) {
      channel.Fail(errno, "make the mount target", target.path);
    }
    any = true;
  }
  // Afterwards, because every new entry changes its folder's time.
  for (const StubTarget& target : targets) {
    resolved.Assign("");
    if (!any || Resolve(root, target.path, resolved) != Found::kMissing) {
      continue;
    }
    for (resolved.Pop(); !resolved.view().empty(); resolved.Pop()) {
      CopyAttributes(root, folder, resolved.c_str());
    }
  }
  close(folder);
  return any;
}

}  // namespace lamina::runtime
