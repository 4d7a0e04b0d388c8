#include "backend/remote/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kMostErrors = 16 << 10;
constexpr int kPollMilliseconds = 100;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return ErrnoError("make a pipe");
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

absl::StatusOr<pid_t> Spawn(const ChildProcess& process, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  sigset_t none;
  sigset_t standard;
  sigemptyset(&none);
  sigemptyset(&standard);
  sigaddset(&standard, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &standard);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                            POSIX_SPAWN_SETSIGMASK |
                                            POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv = Pointers(process.args);
  std::vector<char*> envp = Pointers(process.env);
  pid_t pid = 0;
  int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(),
                           envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return ErrnoError(error, absl::StrCat("start ", process.args[0]));
  }
  return pid;
}

// Appends what there is to read; false at the end.
bool ReadSome(int fd, std::string& text) {
  char buffer[64 << 10];
  ssize_t got = read(fd, buffer, sizeof buffer);
  if (got > 0) {
    text.append(buffer, static_cast<size_t>(got));
  }
  return got > 0 || (got < 0 && errno == EINTR);
}

// Reads both pipes to their ends.
absl::Status ReadOutput(const ChildProcess& process, int out, int err,
                        ChildResult& result) {
  time_t end = time(nullptr) + process.most_seconds;
  pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (process.cancel != nullptr && process.cancel->load() != 0) {
      return absl::CancelledError("cancelled");
    }
    if (time(nullptr) > end) {
      return absl::DeadlineExceededError(
          absl::StrCat("did not end in ", process.most_seconds, " seconds"));
    }
    if (poll(fds, 2, kPollMilliseconds) < 0 && errno != EINTR) {
      return ErrnoError("wait for a program");
    }
    if (fds[0].revents != 0 && !ReadSome(out, result.output)) {
      fds[0].fd = -1;
    }
    if (fds[1].revents != 0 && !ReadSome(err, result.errors)) {
      fds[1].fd = -1;
    }
    if (result.output.size() > process.most_output) {
      return absl::ResourceExhaustedError("prints too much");
    }
    if (result.errors.size() > 2 * kMostErrors) {
      result.errors.erase(0, result.errors.size() - kMostErrors);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ChildResult> RunChild(const ChildProcess& process) {
  ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ASSIGN_OR_RETURN(Pipe err, MakePipe());
  ASSIGN_OR_RETURN(pid_t pid, Spawn(process, out.write.get(), err.write.get()));
  out.write = UniqueFd();
  err.write = UniqueFd();
  ChildResult result;
  absl::Status status =
      ReadOutput(process, out.read.get(), err.read.get(), result);
  if (!status.ok()) {
    kill(-pid, SIGKILL);
  }
  int code = 0;
  while (waitpid(pid, &code, 0) < 0 && errno == EINTR) {
  }
  RETURN_IF_ERROR(Annotate(status, process.args[0]));
  result.exit_code = WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code);
  return result;
}

}  // namespace lamina::backend
