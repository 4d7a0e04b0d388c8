#include "runtime/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/devices.h"
#include "runtime/kernel.h"

namespace lamina::runtime {
namespace {

constexpr uint64_t kClosed =
    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

// A failure shows when the entry is opened.
void MakeEntry(int parent, const char* name, bool is_folder) {
  if (is_folder) {
    mkdirat(parent, name, 0755);
  } else {
    close(openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  }
}

// `path` inside `root`, crossing the mounts made so far. Missing parts are
// made: the stub layers provide them in the image's tree, so this happens in
// our own file systems and the caller's mounts only.
int OpenTarget(const Channel& channel, int root, const std::string& path,
               bool is_folder) {
  int fd = OpenAt2(root, path.c_str(), O_PATH, RESOLVE_IN_ROOT);
  if (fd < 0 && (errno != ENOENT || path.size() >= PATH_MAX)) {
    channel.Fail(errno, "open the mount target", path);
  }
  if (fd >= 0) {
    return fd;
  }
  char prefix[PATH_MAX];
  int parent = fcntl(root, F_DUPFD_CLOEXEC, 3);
  for (size_t end = 1; end <= path.size(); ++end) {
    bool last = end == path.size();
    if (!last && path[end] != '/') {
      continue;
    }
    memcpy(prefix, path.data(), end);
    prefix[end] = '\0';
    int next = OpenAt2(root, prefix, O_PATH, RESOLVE_IN_ROOT);
    if (next < 0) {
      MakeEntry(parent, strrchr(prefix, '/') + 1, !last || is_folder);
      next = OpenAt2(root, prefix, O_PATH, RESOLVE_IN_ROOT);
    }
    if (next < 0) {
      channel.Fail(errno, "make the mount target", path);
    }
    close(parent);
    parent = next;
  }
  return parent;
}

// The mount of an own path in /proc or /sys: nothing but that file system.
int OpenOwn(int folder, const char* path, int flags) {
  return OpenAt2(folder, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int EmptyFolder(const Channel& channel) {
  constexpr MountOption kOptions[] = {{"mode", "755"}, {"size", "4k"}};
  return NewMount(channel, "tmpfs", kClosed | MOUNT_ATTR_RDONLY, kOptions,
                  std::size(kOptions));
}

// Hides one path: a folder behind an empty one, a file behind /dev/null.
void Mask(const Channel& channel, int folder, const char* path, int dev) {
  int target = OpenOwn(folder, path, O_PATH);
  struct stat info;
  if (target < 0) {
    return;  // This kernel does not have it.
  }
  if (fstat(target, &info) != 0) {
    channel.Fail(errno, "mask", path);
  }
  int cover =
      S_ISDIR(info.st_mode) ? EmptyFolder(channel) : CloneMount(dev, "null");
  if (cover < 0 || AttachMount(cover, target) != 0) {
    channel.Fail(errno, "mask", path);
  }
  close(cover);
  close(target);
}

void MakeReadOnly(const Channel& channel, int folder, const char* path) {
  int target = OpenOwn(folder, path, O_PATH);
  if (target < 0) {
    return;
  }
  int tree = CloneMount(target, "", AT_RECURSIVE);
  if (tree < 0 ||
      RestrictMount(tree, MOUNT_ATTR_RDONLY | kClosed, AT_RECURSIVE) != 0 ||
      AttachMount(tree, target) != 0) {
    channel.Fail(errno, "make read-only", path);
  }
  close(tree);
  close(target);
}

// /sys of the host's network namespace shows that network's devices; a user
// namespace may only see it through the host's own mount.
int MakeSys(const Channel& channel, const MountPlan& plan) {
  uint64_t attributes = kClosed | (plan.insecure ? 0 : MOUNT_ATTR_RDONLY);
  if (!plan.user_namespace || plan.own_network) {
    return NewMount(channel, "sysfs", attributes, nullptr, 0);
  }
  int tree = CloneMount(AT_FDCWD, "/sys", AT_RECURSIVE);
  if (tree < 0 ||
      RestrictMount(tree, kClosed | MOUNT_ATTR_RDONLY, AT_RECURSIVE) != 0) {
    channel.Fail(errno, "bind", "/sys");
  }
  return tree;
}

void MaskAll(const Channel& channel, const MountPlan& plan, int proc, int sys,
             int dev) {
  for (const std::string& path : plan.masked) {
    bool in_proc = absl::StartsWith(path, "/proc/");
    Mask(channel, in_proc ? proc : sys,
         path.c_str() + (in_proc ? strlen("/proc/") : strlen("/sys/")), dev);
  }
  for (const std::string& path : plan.read_only) {
    MakeReadOnly(channel, proc, path.c_str() + strlen("/proc/"));
  }
}

// Makes the throw-away overlay of an ExtraMount and answers its mount.
int MountScratch(const Channel& channel, const ExtraMount& mount, int tree) {
  int point = open(mount.lower_point.c_str(), O_PATH | O_CLOEXEC);
  if (point < 0 || AttachMount(tree, point) != 0) {
    channel.Fail(errno, "attach the source of", mount.target);
  }
  close(point);
  close(MountOverlay(channel, mount.scratch, mount.scratch_point.c_str()));
  return CloneMount(AT_FDCWD, mount.scratch_point.c_str());
}

// The part of a merged tree that an ExtraMount shows. No symlink of the tree
// leads out of it.
int MountMerged(const Channel& channel, const ExtraMount& mount) {
  int root = MountOverlay(channel, mount.scratch, mount.scratch_point.c_str());
  int inside = OpenAt2(root, mount.source.c_str(), O_PATH, RESOLVE_IN_ROOT);
  if (inside < 0) {
    channel.Fail(errno, "open the source of", mount.target);
  }
  int tree = CloneMount(inside, "");
  close(inside);
  close(root);
  return tree;
}

int MakeTree(const Channel& channel, const ExtraMount& mount) {
  if (mount.type == ExtraMount::Type::kTmpfs) {
    const MountOption options[] = {{"mode", mount.mode.c_str()},
                                   {"size", mount.size.c_str()}};
    return NewMount(channel, "tmpfs", mount.attributes, options,
                    mount.size.empty() ? 1 : 2);
  }
  int tree = mount.tree.get();
  if (mount.type == ExtraMount::Type::kOverlay) {
    tree = MountMerged(channel, mount);
  } else if (tree < 0) {
    tree = open_tree(AT_FDCWD, mount.source.c_str(),
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  }
  if (tree >= 0 && mount.type == ExtraMount::Type::kScratch) {
    tree = MountScratch(channel, mount, tree);
  }
  if (tree < 0 || RestrictMount(tree, mount.attributes, AT_RECURSIVE) != 0) {
    channel.Fail(errno, "mount the source of", mount.target);
  }
  return tree;
}

void MountExtra(const Channel& channel, const ExtraMount& mount, int root) {
  if (!mount.required) {
    int target = OpenAt2(root, mount.target.c_str(), O_PATH, RESOLVE_IN_ROOT);
    struct stat info;
    if (target < 0 || fstat(target, &info) != 0 || S_ISDIR(info.st_mode)) {
      close(target);
      return;
    }
    close(target);
  }
  int tree = MakeTree(channel, mount);
  int target = OpenTarget(channel, root, mount.target, mount.is_folder);
  if (AttachMount(tree, target) != 0) {
    channel.Fail(errno, "mount on", mount.target);
  }
  close(target);
  close(tree);
}

}  // namespace

std::vector<std::string> MaskedPaths() {
  std::vector<std::string> paths;
  for (const char* name :
       {"acpi", "asound", "interrupts", "kcore", "keys", "latency_stats",
        "sched_debug", "scsi", "timer_list", "timer_stats"}) {
    paths.push_back(absl::StrCat("/proc/", name));
  }
  for (const char* path :
       {"/sys/firmware", "/sys/fs/selinux", "/sys/devices/virtual/powercap"}) {
    paths.emplace_back(path);
  }
  const char* cpus = "/sys/devices/system/cpu";
  if (DIR* dir = opendir(cpus)) {
    while (dirent* entry = readdir(dir)) {
      std::string path =
          absl::StrCat(cpus, "/", entry->d_name, "/thermal_throttle");
      if (absl::StartsWith(entry->d_name, "cpu") && FileExists(path)) {
        paths.push_back(std::move(path));
      }
    }
    closedir(dir);
  }
  return paths;
}

std::vector<std::string> ReadOnlyPaths() {
  return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
          "/proc/sysrq-trigger"};
}

int NewMount(const Channel& channel, const char* type, uint64_t attributes,
             const MountOption* options, size_t count) {
  int context = fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) {
    channel.Fail(errno, "make a file system of the type", type);
  }
  for (size_t index = 0; index < count; ++index) {
    const MountOption& option = options[index];
    auto kind =
        option.value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (fsconfig(context, kind, option.name, option.value, 0) != 0) {
      channel.Fail(errno, "set the mount option", option.name);
    }
  }
  int tree = -1;
  if (fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0 ||
      (tree = fsmount(context, FSMOUNT_CLOEXEC,
                      static_cast<unsigned>(attributes))) < 0) {
    channel.Fail(errno, "mount a file system of the type", type);
  }
  close(context);
  return tree;
}

void AttachInside(const Channel& channel, int tree, int folder,
                  const char* target) {
  int fd = OpenOwn(folder, target, O_PATH | O_DIRECTORY);
  if (fd < 0) {
    channel.Refuse("cannot mount on", target,
                   errno == ELOOP ? "it is a symbolic link in the image"
                                  : "it is not a folder in the image");
  }
  if (AttachMount(tree, fd) != 0) {
    channel.Fail(errno, "mount on", target);
  }
  close(fd);
}

int MountEverything(const Channel& channel, const MountPlan& plan, int root) {
  int dev = MakeDevices(channel, plan);
  AttachInside(channel, dev, root, "dev");
  MountBelowDevices(channel, plan, dev);
  int proc = NewMount(channel, "proc", kClosed, nullptr, 0);
  AttachInside(channel, proc, root, "proc");
  int sys = MakeSys(channel, plan);
  AttachInside(channel, sys, root, "sys");
  if (plan.cgroup) {
    int cgroup =
        NewMount(channel, "cgroup2",
                 kClosed | (plan.insecure ? 0 : MOUNT_ATTR_RDONLY), nullptr, 0);
    AttachInside(channel, cgroup, sys, "fs/cgroup");
    close(cgroup);
  }
  for (const ExtraMount& mount : plan.extra) {
    MountExtra(channel, mount, root);
  }
  // After the caller's mounts, which must not uncover anything.
  MaskAll(channel, plan, proc, sys, dev);
  close(proc);
  close(sys);

  // Device nodes of the image would open the host's devices.
  if (!plan.insecure && RestrictMount(root, MOUNT_ATTR_NODEV) != 0) {
    channel.Fail(errno, "restrict the root");
  }
  return dev;
}

}  // namespace lamina::runtime
