#include "runtime/command.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/kernel.h"

namespace lamina::runtime {
namespace {

void SetStreams(const Channel& channel, const InitPlan& plan,
                const Account& account, CommandStreams streams) {
  // Out of the way of the numbers they are going to have.
  int moved[3] = {fcntl(streams.in, F_DUPFD_CLOEXEC, 3),
                  fcntl(streams.out, F_DUPFD_CLOEXEC, 3),
                  fcntl(streams.err, F_DUPFD_CLOEXEC, 3)};
  for (int fd = 0; fd < 3; ++fd) {
    if (moved[fd] < 0 || dup2(moved[fd], fd) < 0) {
      channel.Fail(errno, "set up the standard streams");
    }
  }
  if (plan.tty && ioctl(0, TIOCSCTTY, 0) != 0) {
    channel.Fail(errno, "make the terminal the controlling one");
  }
  // A user opens /dev/stdout by name, which asks for permission.
  if ((plan.owns_output || plan.tty) && !plan.user_namespace) {
    [[maybe_unused]] int out = fchown(1, account.uid, static_cast<gid_t>(-1));
    [[maybe_unused]] int err = fchown(2, account.uid, static_cast<gid_t>(-1));
  }
}

// Straight system calls: the C library's wrappers wait for all threads of the
// process, and the other threads were not cloned.
void BecomeUser(const Channel& channel, const InitPlan& plan,
                const Account& account) {
  bool keeps_all = plan.insecure;
  if (keeps_all) {
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  }
  LimitBoundingSet(channel, plan.capabilities);
  if (!plan.user_namespace &&
      syscall(SYS_setgroups, account.group_count, account.groups) != 0) {
    channel.Fail(errno, "set the groups of the command");
  }
  if (syscall(SYS_setresgid, account.gid, account.gid, account.gid) != 0 ||
      syscall(SYS_setresuid, account.uid, account.uid, account.uid) != 0) {
    channel.Fail(errno, "become the user of the command");
  }
  bool privileged = account.uid == 0 || keeps_all;
  SetCapabilities(channel, privileged ? plan.capabilities : 0,
                  keeps_all ? plan.capabilities : 0);
  if (keeps_all) {
    RaiseAmbient(plan.capabilities);
  }
}

void Print(absl::string_view text) {
  [[maybe_unused]] ssize_t written = write(2, text.data(), text.size());
}

[[noreturn]] void GiveUp(const char* name, int error, bool searched) {
  Print("exec: \"");
  Print(name);
  Print("\": ");
  Print(error == ENOENT && searched ? "executable file not found in $PATH"
                                    : strerrordesc_np(error));
  Print("\n");
  _exit(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

[[noreturn]] void Execute(const InitPlan& plan, const char* const* env) {
  const char* name = plan.args[0];
  auto argv = const_cast<char* const*>(plan.args.data());
  auto envp = const_cast<char* const*>(env);
  if (strchr(name, '/') != nullptr) {
    execve(name, argv, envp);
    GiveUp(name, errno, false);
  }
  int error = ENOENT;
  absl::string_view rest = plan.search_path;
  char path[PATH_MAX];
  while (!rest.empty() && *name != '\0') {
    size_t end = rest.find(':');
    absl::string_view folder = rest.substr(0, end);
    rest.remove_prefix(end == absl::string_view::npos ? rest.size() : end + 1);
    size_t name_size = strlen(name);
    if (folder.empty() || folder.size() + name_size + 2 > sizeof path) {
      continue;
    }
    memcpy(path, folder.data(), folder.size());
    path[folder.size()] = '/';
    memcpy(path + folder.size() + 1, name, name_size + 1);
    execve(path, argv, envp);
    if (errno == ENOENT || errno == ENOTDIR) {
      continue;
    }
    error = errno;
    // Another folder may hold one that may be executed.
    if (error != EACCES) {
      break;
    }
  }
  GiveUp(name, error, true);
}

}  // namespace

void RunCommand(const Channel& channel, const InitPlan& plan,
                const Account& account, CommandStreams streams) {
  setsid();
  SetStreams(channel, plan, account, streams);
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  BecomeUser(channel, plan, account);
  umask(0022);

  char home[PATH_MAX] = "HOME=";
  const char** env = const_cast<const char**>(plan.env.data());
  if (plan.needs_home && account.home.size() + 6 <= sizeof home) {
    memcpy(home + 5, account.home.data(), account.home.size());
    env[plan.env.size() - 2] = home;
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  Execute(plan, env);
}

}  // namespace lamina::runtime
