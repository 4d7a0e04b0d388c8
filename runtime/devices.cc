#include "runtime/devices.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "runtime/kernel.h"

namespace lamina::runtime {
namespace {

struct DeviceNode {
  const char* name;
  unsigned major;
  unsigned minor;
};

constexpr DeviceNode kNodes[] = {{"null", 1, 3},    {"zero", 1, 5},
                                 {"full", 1, 7},    {"random", 1, 8},
                                 {"urandom", 1, 9}, {"tty", 5, 0}};

struct DeviceLink {
  const char* name;
  const char* target;
};

constexpr DeviceLink kLinks[] = {
    {"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},  {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"}};

// A user namespace may not make device nodes; the host's are as good once
// they are known to be what their name says.
void BindHostNode(const Channel& channel, int dev, const DeviceNode& node) {
  int host_dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int tree = CloneMount(host_dev, node.name);
  struct stat info;
  if (tree < 0 || fstat(tree, &info) != 0) {
    channel.Fail(errno, "bind the device", node.name);
  }
  if (!S_ISCHR(info.st_mode) ||
      info.st_rdev != makedev(node.major, node.minor)) {
    channel.Refuse("cannot bind the device", node.name, "it is another one");
  }
  int file = openat(dev, node.name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
  if (file < 0 || AttachMount(tree, file) != 0) {
    channel.Fail(errno, "bind the device", node.name);
  }
  close(file);
  close(tree);
  close(host_dev);
}

void WriteScript(const Channel& channel, int dev, absl::string_view name,
                 absl::string_view text) {
  int folder = openat(dev, "pipes", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int fd = openat(folder, name.data(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                  0755);
  while (fd >= 0 && !text.empty()) {
    ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) {
      channel.Fail(errno, "write the script", name);
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (fd < 0) {
    channel.Fail(errno, "write the script", name);
  }
  close(fd);
  close(folder);
}

}  // namespace

int MakeDevices(const Channel& channel, const MountPlan& plan) {
  constexpr MountOption kOptions[] = {{"mode", "755"}, {"size", "65536k"}};
  int dev =
      NewMount(channel, "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME,
               kOptions, std::size(kOptions));
  for (const char* folder : {"pts", "shm", "mqueue", "pipes"}) {
    if (mkdirat(dev, folder, 0755) != 0) {
      channel.Fail(errno, "fill the folder", "/dev");
    }
  }
  for (const DeviceNode& node : kNodes) {
    if (!plan.user_namespace && mknodat(dev, node.name, S_IFCHR | 0666,
                                        makedev(node.major, node.minor)) != 0) {
      channel.Fail(errno, "make the device", node.name);
    }
  }
  for (const DeviceLink& link : kLinks) {
    if (symlinkat(link.target, dev, link.name) != 0) {
      channel.Fail(errno, "fill the folder", "/dev");
    }
  }
  for (const auto& [name, text] : plan.scripts) {
    WriteScript(channel, dev, name, text);
  }
  return dev;
}

void MountBelowDevices(const Channel& channel, const MountPlan& plan, int dev) {
  if (plan.user_namespace) {
    for (const DeviceNode& node : kNodes) {
      BindHostNode(channel, dev, node);
    }
  }
  // Group 5 is `tty` everywhere; a single-id namespace does not have it.
  const MountOption terminals[] = {{"newinstance", nullptr},
                                   {"ptmxmode", "0666"},
                                   {"mode", "0620"},
                                   {"gid", "5"}};
  int pts = NewMount(channel, "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                     terminals, plan.user_namespace ? 3 : 4);
  AttachInside(channel, pts, dev, "pts");
  close(pts);

  const uint64_t closed =
      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;
  const MountOption shared[] = {{"mode", "1777"},
                                {"size", plan.shm_size.c_str()}};
  int shm = NewMount(channel, "tmpfs", closed, shared, std::size(shared));
  AttachInside(channel, shm, dev, "shm");
  close(shm);

  int queues = NewMount(channel, "mqueue", closed, nullptr, 0);
  AttachInside(channel, queues, dev, "mqueue");
  close(queues);
}

Terminal OpenTerminal(const Channel& channel, int dev) {
  Terminal terminal;
  terminal.master = openat(dev, "pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int unlocked = 0;
  if (terminal.master < 0 ||
      ioctl(terminal.master, TIOCSPTLCK, &unlocked) != 0) {
    channel.Fail(errno, "open a terminal");
  }
  terminal.slave =
      ioctl(terminal.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal.slave < 0) {
    channel.Fail(errno, "open a terminal");
  }
  return terminal;
}

}  // namespace lamina::runtime
