#include "runtime/init.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "runtime/command.h"
#include "runtime/devices.h"
#include "runtime/kernel.h"
#include "runtime/network.h"
#include "runtime/users.h"

namespace lamina::runtime {
namespace {

// A copy of another thread's lock or pipe end must not outlive its owner.
void CloseOthers(const std::vector<int>& kept) {
  unsigned next = 0;
  for (int fd : kept) {
    if (static_cast<unsigned>(fd) > next) {
      close_range(next, static_cast<unsigned>(fd) - 1, 0);
    }
    next = static_cast<unsigned>(fd) + 1;
  }
  close_range(next, ~0U, 0);
}

void WriteText(const Channel& channel, const char* path,
               absl::string_view text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text.data(), text.size()) !=
                    static_cast<ssize_t>(text.size())) {
    channel.Fail(errno, "write", path);
  }
  close(fd);
}

// Ends with the supervisor, even if that was killed a moment ago.
void FollowSupervisor(const InitPlan& plan) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  CloseOthers(plan.kept_fds);
  pollfd peer = {plan.report_fd, POLLIN, 0};
  if (poll(&peer, 1, 0) > 0 && (peer.revents & POLLHUP) != 0) {
    _exit(125);
  }
}

void IsolateProcess(const Channel& channel, const InitPlan& plan) {
  // Before undumpable, which gives these files to root.
  if (plan.user_namespace) {
    WriteText(channel, "/proc/self/setgroups", "deny");
    WriteText(channel, "/proc/self/uid_map", plan.uid_map);
    WriteText(channel, "/proc/self/gid_map", plan.gid_map);
  }
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NAME, "lamina-init", 0, 0, 0);
  // Away from the terminal's process group, or its signals would arrive here.
  setsid();
  umask(0);
  // Ignored signals stay ignored over exec; handlers are ours.
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    sigaction(signal, &action, nullptr);
  }
}

// Before anything is mounted, or the host would see it.
void DetachMounts(const Channel& channel) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    channel.Fail(errno, "make the mounts private");
  }
}

int MakeRoot(const Channel& channel, const InitPlan& plan) {
  int root = MountRoot(channel, plan.overlay);
  if (AddHiddenStubs(channel, root, plan.top_stubs.c_str(), plan.targets)) {
    root = RemountWithTop(channel, plan.overlay, root);
  }
  return root;
}

void EnterRoot(const Channel& channel, int root) {
  if (fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0) {
    channel.Fail(errno, "enter the root");
  }
  // The old root now lies on top of the new one.
  if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
    channel.Fail(errno, "leave the host's root");
  }
}

void SetNames(const Channel& channel, const InitPlan& plan) {
  if (sethostname(plan.hostname.data(), plan.hostname.size()) != 0) {
    channel.Fail(errno, "set the host name", plan.hostname);
  }
  constexpr absl::string_view kNoDomain = "(none)";
  if (setdomainname(kNoDomain.data(), kNoDomain.size()) != 0) {
    channel.Fail(errno, "set the domain name");
  }
  if (plan.own_network) {
    RaiseLoopback(channel);
  }
  // Where the kernel has no keyrings there are none to share.
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
}

void MakeWorkingDir(const std::string& path) {
  char prefix[PATH_MAX];
  for (size_t end = 1; end <= path.size() && end < sizeof prefix; ++end) {
    if (end < path.size() && path[end] != '/') {
      continue;
    }
    memcpy(prefix, path.data(), end);
    prefix[end] = '\0';
    int fd = OpenAt2(AT_FDCWD, prefix, O_PATH, RESOLVE_IN_ROOT);
    if (fd < 0 && errno == ENOENT) {
      // A failure shows when the folder is entered.
      mkdir(prefix, 0755);
    }
    close(fd);
  }
}

void EnterWorkingDir(const Channel& channel, const InitPlan& plan) {
  if (plan.create_working_dir) {
    MakeWorkingDir(plan.working_dir);
  }
  int fd = OpenAt2(AT_FDCWD, plan.working_dir.c_str(), O_PATH | O_DIRECTORY,
                   RESOLVE_IN_ROOT);
  if (fd < 0 || fchdir(fd) != 0) {
    channel.Fail(errno, "enter the working directory", plan.working_dir);
  }
  close(fd);
  // The kernel's own answer, since a folder outside the root has no path that
  // begins with a slash.
  char path[PATH_MAX];
  if (syscall(SYS_getcwd, path, sizeof path) <= 0 || path[0] != '/') {
    channel.Refuse("cannot enter the working directory", plan.working_dir,
                   "it is outside the root");
  }
}

// The rest of pid 1's life: collects every orphan, hands signals on, and ends
// with the command. Its end kills all that is left.
[[noreturn]] void Reap(const Channel& channel, pid_t command) {
  sigset_t all;
  sigfillset(&all);
  while (true) {
    siginfo_t info = {};
    int signal = sigwaitinfo(&all, &info);
    // Only the supervisor's signals: those from outside have no sender here.
    if (signal > 0 && signal != SIGCHLD && info.si_code == SI_USER &&
        info.si_pid == 0) {
      kill(command, signal);
    }
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid == command) {
        channel.SendExit(status);
        _exit(0);
      }
    }
  }
}

}  // namespace

void RunInit(const InitPlan& plan) {
  Channel channel(plan.report_fd);
  FollowSupervisor(plan);
  IsolateProcess(channel, plan);
  DetachMounts(channel);

  int root = MakeRoot(channel, plan);
  Account account;
  ResolveAccount(channel, root, plan.user, account);
  CommandStreams streams = {plan.stdin_fd, plan.stdout_fd, plan.stderr_fd};
  int dev = MountEverything(channel, plan.mounts, root);
  if (plan.tty) {
    Terminal terminal = OpenTerminal(channel, dev);
    channel.SendTerminal(terminal.master);
    close(terminal.master);
    streams = {terminal.slave, terminal.slave, terminal.slave};
  } else if (streams.in < 0) {
    streams.in = openat(dev, "null", O_RDWR | O_CLOEXEC);
  }
  EnterRoot(channel, root);
  SetNames(channel, plan);
  EnterWorkingDir(channel, plan);
  if (plan.read_only_root && RestrictMount(root, MOUNT_ATTR_RDONLY) != 0) {
    channel.Fail(errno, "make the root read-only");
  }

  // Pid 1 is under the filter as well, and the command inherits it.
  if (plan.no_new_privileges) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  }
  if (plan.seccomp != nullptr) {
    LoadSeccomp(channel, *plan.seccomp);
  }
  long command = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (command < 0) {
    channel.Fail(errno, "start the command");
  }
  if (command == 0) {
    RunCommand(channel, plan, account, streams);
  }
  [[maybe_unused]] int ignored = chdir("/");
  close_range(0, static_cast<unsigned>(plan.report_fd) - 1, 0);
  close_range(static_cast<unsigned>(plan.report_fd) + 1, ~0U, 0);
  SetCapabilities(channel, Bit(CAP_KILL), 0);
  Reap(channel, static_cast<pid_t>(command));
}

}  // namespace lamina::runtime
