// System calls without a wrapper in the C library, and mounts by descriptor.
// Everything here is safe between clone and exec.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace lamina::runtime {

// openat2(2); magic links of /proc are never followed.
inline int OpenAt2(int folder, const char* path, int flags, uint64_t resolve) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  // RESOLVE_IN_ROOT answers EAGAIN while another process renames folders.
  for (int attempt = 0; attempt < 100; ++attempt) {
    fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
      break;
    }
  }
  return static_cast<int>(fd);
}

inline int SendSignal(int pidfd, int signal) {
  return static_cast<int>(
      syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

// Puts the detached mount `tree` on what the descriptor `target` refers to.
inline int AttachMount(int tree, int target) {
  return move_mount(tree, "", target, "",
                    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

// A detached copy of the mount of `path`, which may be a file.
inline int CloneMount(int folder, const char* path, unsigned flags = 0) {
  return open_tree(folder, path,
                   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
                       AT_SYMLINK_NOFOLLOW | flags);
}

// Sets mount attributes (MOUNT_ATTR_...). Also cuts the mount off from the
// host's, so that mounts on either side stay there.
inline int RestrictMount(int tree, uint64_t attributes, unsigned flags = 0) {
  mount_attr change = {};
  change.attr_set = attributes;
  change.propagation = MS_PRIVATE;
  return mount_setattr(tree, "", AT_EMPTY_PATH | flags, &change, sizeof change);
}

}  // namespace lamina::runtime
