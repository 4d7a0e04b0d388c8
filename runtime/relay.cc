#include "runtime/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <vector>

#include "base/status.h"
#include "runtime/channel.h"
#include "runtime/kernel.h"

namespace lamina::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kChunk = 64 * 1024;  // Bytes read at once.
constexpr int kTick = 20;  // Milliseconds between looks at what only polls.
constexpr int kInput = 0;
constexpr int kOutput = 1;
constexpr char kEndOfInput = 4;  // Ctrl-D of a terminal.

// Our own terminal passes every key on while this lives.
class RawMode {
 public:
  RawMode() {
    if (tcgetattr(kInput, &saved_) != 0) {
      return;
    }
    termios raw = saved_;
    cfmakeraw(&raw);
    active_ = tcsetattr(kInput, TCSADRAIN, &raw) == 0;
  }
  ~RawMode() {
    if (active_) {
      tcsetattr(kInput, TCSADRAIN, &saved_);
    }
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;

 private:
  termios saved_;
  bool active_ = false;
};

// The command's terminal, between its master end and our streams.
class TerminalRelay {
 public:
  explicit TerminalRelay(UniqueFd master) : master_(std::move(master)) {
    fcntl(master_.get(), F_SETFL, fcntl(master_.get(), F_GETFL) | O_NONBLOCK);
    CopySize();
  }

  // The kernel tells the command when the size has changed.
  void CopySize() {
    winsize size = {};
    if (ioctl(kInput, TIOCGWINSZ, &size) == 0 &&
        memcmp(&size, &size_, sizeof size) != 0) {
      size_ = size;
      ioctl(master_.get(), TIOCSWINSZ, &size);
    }
  }

  void AddPolls(std::vector<pollfd>& polls) const {
    if (!closed_) {
      short events = pending_.empty() ? POLLIN : POLLIN | POLLOUT;
      polls.push_back({master_.get(), events, 0});
    }
    if (!closed_ && !input_ended_ && pending_.empty()) {
      polls.push_back({kInput, POLLIN, 0});
    }
  }

  void Handle(const pollfd& ready) {
    if (ready.fd == kInput) {
      ReadInput();
    } else if (ready.fd == master_.get()) {
      if ((ready.revents & POLLOUT) != 0) {
        WritePending();
      }
      if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        ReadOutput();
      }
    }
  }

  void Drain() {
    while (ReadOutput()) {
    }
  }

 private:
  void ReadInput() {
    char buffer[4096];
    ssize_t got = read(kInput, buffer, sizeof buffer);
    if (got > 0) {
      pending_.assign(buffer, static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      input_ended_ = true;
      pending_.assign(1, kEndOfInput);
    }
    WritePending();
  }

  void WritePending() {
    ssize_t written = write(master_.get(), pending_.data(), pending_.size());
    if (written > 0) {
      pending_.erase(0, static_cast<size_t>(written));
    }
  }

  // False when there is nothing to read, now or ever.
  bool ReadOutput() {
    char buffer[kChunk];
    ssize_t got = read(master_.get(), buffer, sizeof buffer);
    if (got <= 0) {
      closed_ = got == 0 || errno != EAGAIN;
      return false;
    }
    WriteAll(kOutput, absl::string_view(buffer, static_cast<size_t>(got)))
        .IgnoreError();
    return true;
  }

  UniqueFd master_;
  winsize size_ = {};
  std::string pending_;  // Keys on their way to the command.
  bool input_ended_ = false;
  bool closed_ = false;
};

class Supervisor {
 public:
  Supervisor(RunningSandbox sandbox, const SandboxSpec& spec,
             const OutputSink& on_output)
      : sandbox_(std::move(sandbox)),
        spec_(spec),
        on_output_(on_output),
        buffer_(kChunk) {}

  absl::StatusOr<SandboxResult> Run();

 private:
  bool WaitForEvents();
  void HandleCancel();
  void HandleReports();
  // Reads once; false when nothing is there.
  bool ReadOutput(UniqueFd& from, int stream);
  void DrainAll();
  absl::StatusOr<SandboxResult> Result(const siginfo_t& init) const;

  RunningSandbox sandbox_;
  const SandboxSpec& spec_;
  const OutputSink& on_output_;
  std::vector<char> buffer_;
  std::vector<pollfd> polls_;
  std::optional<RawMode> raw_mode_;
  std::optional<TerminalRelay> terminal_;
  std::optional<Report> failure_;
  std::optional<int> wait_status_;
  int sent_signal_ = 0;
  bool killed_ = false;
  Clock::time_point deadline_;
};

absl::StatusOr<SandboxResult> Supervisor::Run() {
  while (!WaitForEvents()) {
  }
  siginfo_t init = {};
  while (waitid(P_PIDFD, static_cast<id_t>(sandbox_.init.get()), &init,
                WEXITED | __WALL) != 0) {
    if (errno != EINTR) {
      return ErrnoError("wait for the sandbox");
    }
  }
  DrainAll();
  return Result(init);
}

// One round of poll(2); true when pid 1 has ended.
bool Supervisor::WaitForEvents() {
  polls_.clear();
  polls_.push_back({sandbox_.init.get(), POLLIN, 0});
  for (const UniqueFd* fd : {&sandbox_.report, &sandbox_.out, &sandbox_.err}) {
    if (fd->valid()) {
      polls_.push_back({fd->get(), POLLIN, 0});
    }
  }
  if (terminal_) {
    terminal_->CopySize();
    terminal_->AddPolls(polls_);
  }
  bool ticks = spec_.cancel != nullptr || terminal_;
  if (poll(polls_.data(), polls_.size(), ticks ? kTick : -1) < 0) {
    return false;
  }
  HandleCancel();
  for (const pollfd& ready : polls_) {
    if (ready.revents == 0) {
      continue;
    }
    if (ready.fd == sandbox_.report.get()) {
      HandleReports();
    } else if (ready.fd == sandbox_.out.get()) {
      ReadOutput(sandbox_.out, 1);
    } else if (ready.fd == sandbox_.err.get()) {
      ReadOutput(sandbox_.err, 2);
    } else if (terminal_) {
      terminal_->Handle(ready);
    }
  }
  return polls_[0].revents != 0;
}

void Supervisor::HandleCancel() {
  int wanted = spec_.cancel == nullptr ? 0 : spec_.cancel->load();
  if (wanted != 0 && wanted != sent_signal_) {
    if (sent_signal_ == 0) {
      deadline_ = Clock::now() + std::chrono::milliseconds(spec_.grace_ms);
    }
    sent_signal_ = wanted;
    SendSignal(sandbox_.init.get(), wanted);
  }
  if (sent_signal_ != 0 && !killed_ && Clock::now() >= deadline_) {
    killed_ = true;
    SendSignal(sandbox_.init.get(), SIGKILL);
  }
}

void Supervisor::HandleReports() {
  bool any = false;
  while (std::optional<ReceivedReport> received =
             ReceiveReport(sandbox_.report.get())) {
    any = true;
    switch (received->report.kind) {
      case ReportKind::kFailure:
        failure_ = received->report;
        break;
      case ReportKind::kExited:
        wait_status_ = received->report.wait_status;
        break;
      case ReportKind::kTerminal:
        raw_mode_.emplace();
        terminal_.emplace(std::move(received->terminal));
        break;
    }
  }
  if (!any) {
    sandbox_.report.Close();  // The other end is closed.
  }
}

bool Supervisor::ReadOutput(UniqueFd& from, int stream) {
  if (!from.valid()) {
    return false;
  }
  ssize_t got = read(from.get(), buffer_.data(), buffer_.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return errno == EINTR;
  }
  if (got <= 0) {
    from.Close();
    return false;
  }
  if (on_output_) {
    on_output_(stream,
               absl::string_view(buffer_.data(), static_cast<size_t>(got)));
  }
  return true;
}

// What was written before the end is still in the pipes. Not until their end:
// a descriptor may have been passed to a process outside.
void Supervisor::DrainAll() {
  if (sandbox_.report.valid()) {
    HandleReports();
  }
  while (ReadOutput(sandbox_.out, 1)) {
  }
  while (ReadOutput(sandbox_.err, 2)) {
  }
  if (terminal_) {
    terminal_->Drain();
  }
}

absl::StatusOr<SandboxResult> Supervisor::Result(const siginfo_t& init) const {
  if (failure_) {
    return ToStatus(*failure_);
  }
  SandboxResult result;
  if (wait_status_ && WIFEXITED(*wait_status_)) {
    result.exit_code = WEXITSTATUS(*wait_status_);
    return result;
  }
  if (wait_status_) {
    result.signal = WTERMSIG(*wait_status_);
  } else if (init.si_code == CLD_EXITED) {
    return absl::UnavailableError("the sandbox ended without a result");
  } else {
    result.signal = init.si_status;
  }
  result.exit_code = 128 + result.signal;
  return result;
}

}  // namespace

absl::StatusOr<SandboxResult> Supervise(RunningSandbox sandbox,
                                        const SandboxSpec& spec,
                                        const OutputSink& on_output) {
  return Supervisor(std::move(sandbox), spec, on_output).Run();
}

}  // namespace lamina::runtime
