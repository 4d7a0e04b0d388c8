#include "cli/progress.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/command.h"

namespace lamina::cli {
namespace {

using Kind = StepEvent::Kind;

constexpr size_t kTailLines = 50;
constexpr size_t kLongestLine = 64 * 1024;  // Bytes kept without a line end.
constexpr auto kFrame = std::chrono::milliseconds(100);
constexpr absl::string_view kHideCursor = "\x1b[?25l";
constexpr absl::string_view kShowCursor = "\x1b[?25h";
constexpr absl::string_view kBeginFrame = "\x1b[?2026h";
constexpr absl::string_view kEndFrame = "\x1b[?2026l";
constexpr absl::string_view kClearBelow = "\x1b[J";

constexpr int kDeadlySignals[] = {SIGINT,  SIGTERM, SIGHUP,
                                  SIGQUIT, SIGABRT, SIGSEGV};

// The terminal whose cursor is hidden, or -1: what exit handlers, which have
// no arguments, must restore.
volatile sig_atomic_t hidden_cursor_fd = -1;

void RestoreCursor() {
  const int fd = hidden_cursor_fd;
  if (fd >= 0) {
    hidden_cursor_fd = -1;
    // Nothing can be done about a failure on the way out.
    [[maybe_unused]] const ssize_t written =
        write(fd, kShowCursor.data(), kShowCursor.size());
  }
}

void RestoreCursorAndDie(int signal_number) {
  RestoreCursor();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

// Signals that somebody handles already end in a normal Finish().
void RestoreCursorOnSignals(bool install) {
  for (int number : kDeadlySignals) {
    struct sigaction old = {};
    sigaction(number, nullptr, &old);
    if (install && old.sa_handler == SIG_DFL) {
      signal(number, RestoreCursorAndDie);
    } else if (!install && old.sa_handler == RestoreCursorAndDie) {
      signal(number, SIG_DFL);
    }
  }
}

double SteadySeconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::function<double()> SinceNow() {
  return [start = SteadySeconds()] { return SteadySeconds() - start; };
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

ScreenOptions AskScreen() {
  ScreenOptions options;
  options.colour = Environment("NO_COLOR").empty();
  options.utf8 = IsUtf8Locale();
  uint32_t lines = 0;
  if (absl::SimpleAtoi(Environment("BUILDKIT_TTY_LOG_LINES"), &lines)) {
    options.log_lines = lines;
  }
  return options;
}

}  // namespace

absl::StatusOr<ProgressMode> ParseProgressMode(absl::string_view name) {
  if (name == "auto") {
    return ProgressMode::kAuto;
  }
  if (name == "tty") {
    return ProgressMode::kTty;
  }
  if (name == "plain") {
    return ProgressMode::kPlain;
  }
  if (name == "quiet" || name == "none") {
    return ProgressMode::kQuiet;
  }
  return UsageError(absl::StrCat("no progress mode named `", name,
                                 "`; there are auto, tty, plain and quiet"));
}

ProgressMode ResolveProgressMode(ProgressMode mode, int fd) {
  if (mode != ProgressMode::kAuto) {
    return mode;
  }
  const absl::StatusOr<ProgressMode> wanted =
      ParseProgressMode(Environment("BUILDKIT_PROGRESS"));
  if (wanted.ok() && *wanted != ProgressMode::kAuto) {
    return *wanted;
  }
  return isatty(fd) == 1 && Environment("TERM") != "dumb"
             ? ProgressMode::kTty
             : ProgressMode::kPlain;
}

Progress::Progress(ProgressMode mode, int fd, std::function<double()> clock)
    : mode_(mode),
      fd_(fd),
      clock_(clock == nullptr ? SinceNow() : std::move(clock)) {
  CHECK(mode != ProgressMode::kAuto);
  if (mode_ != ProgressMode::kTty) {
    return;
  }
  screen_ = AskScreen();
  hidden_cursor_fd = fd_;
  RestoreCursorOnSignals(true);
  std::atexit(RestoreCursor);
  Print(kHideCursor);
  ticker_ = std::thread(&Progress::Tick, this);
}

Progress::~Progress() { Finish(); }

StepView& Progress::FindStep(const StepEvent& event) {
  // Newest first: events come from steps that run.
  for (auto step = model_.steps.rbegin(); step != model_.steps.rend(); ++step) {
    if (step->step.number == event.number && step->step.stage == event.stage) {
      return *step;
    }
  }
  StepView step;
  step.id = static_cast<int>(model_.steps.size()) + 1;
  step.step = event;
  step.step.output.clear();
  step.started = clock_();
  model_.steps.push_back(std::move(step));
  ++model_.running;
  if (mode_ == ProgressMode::kPlain) {
    Print(absl::StrCat(PlainTitle(model_.steps.back()), "\n"));
  }
  return model_.steps.back();
}

void Progress::AddLine(StepView& step, absl::string_view line) {
  std::string visible = VisibleLine(line);
  if (mode_ == ProgressMode::kPlain) {
    Print(absl::StrFormat("#%d %.3f %s\n", step.id, clock_() - step.started,
                          visible));
  }
  step.tail.push_back(std::move(visible));
  if (step.tail.size() > kTailLines) {
    step.tail.pop_front();
  }
}

void Progress::AddOutput(StepView& step, absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    step.partial.append(std::string(bytes.substr(0, end)));
    if (end == absl::string_view::npos && step.partial.size() < kLongestLine) {
      return;
    }
    AddLine(step, step.partial);
    step.partial.clear();
    bytes.remove_prefix(end == absl::string_view::npos ? bytes.size()
                                                       : end + 1);
  }
}

void Progress::EndStep(StepView& step, const StepEvent& event) {
  if (!step.partial.empty()) {
    AddLine(step, step.partial);
    step.partial.clear();
  }
  step.state = event.kind;
  step.seconds = event.seconds;
  --model_.running;
  model_.cached += event.kind == Kind::kCached ? 1 : 0;
  const bool done =
      event.kind == Kind::kCached || event.kind == Kind::kFinished;
  model_.done += done ? 1 : 0;
  if (mode_ == ProgressMode::kTty) {
    over_.push_back(step.id);
  }
  if (mode_ != ProgressMode::kPlain) {
    return;
  }
  const std::string id = absl::StrCat("#", step.id);
  switch (event.kind) {
    case Kind::kCached:
      return Print(absl::StrCat(id, " CACHED\n"));
    case Kind::kNotReached:
      return Print(absl::StrCat(id, " NOT REACHED\n"));
    case Kind::kFailed:
      return Print(absl::StrFormat("%s FAILED %.1fs\n", id, event.seconds));
    default:
      return Print(absl::StrFormat("%s DONE %.1fs\n", id, event.seconds));
  }
}

void Progress::Handle(const StepEvent& event) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (finished_) {
    return;
  }
  StepView& step = FindStep(event);
  if (step.state != Kind::kStarted) {
    return;  // It is over; late output has no place any more.
  }
  if (event.kind == Kind::kOutput) {
    AddOutput(step, event.output);
  } else if (event.kind != Kind::kStarted) {
    EndStep(step, event);
  }
}

void Progress::Print(absl::string_view text) {
  // Progress is not worth failing a build for.
  (void)WriteAll(fd_, text);
}

// One frame in one write: back to the top of the region, the steps that are
// over now, and the region anew.
void Progress::Draw(bool last) {
  screen_.size = AskTerminalSize(fd_);
  const double now = clock_();
  std::string frame(kBeginFrame);
  if (drawn_lines_ > 0) {
    absl::StrAppendFormat(&frame, "\x1b[%dA", static_cast<int>(drawn_lines_));
  }
  absl::StrAppend(&frame, "\r", kClearBelow);
  for (int id : over_) {
    absl::StrAppend(&frame, ScreenStepLine(model_.steps[id - 1], now, screen_),
                    "\n");
  }
  over_.clear();
  const std::vector<std::string> lines = ScreenLines(model_, now, screen_);
  for (const std::string& line : lines) {
    absl::StrAppend(&frame, line, "\n");
  }
  drawn_lines_ = lines.size();
  absl::StrAppend(&frame, last ? kShowCursor : "", kEndFrame);
  Print(frame);
}

void Progress::Tick() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!finished_) {
    if (!model_.steps.empty()) {
      Draw(false);
    }
    wake_.wait_for(lock, kFrame, [this] { return finished_; });
  }
}

void Progress::Finish() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (finished_) {
      return;
    }
    finished_ = true;
  }
  if (mode_ != ProgressMode::kTty) {
    return;
  }
  wake_.notify_all();
  ticker_.join();
  if (model_.steps.empty()) {
    Print(kShowCursor);
  } else {
    Draw(true);
  }
  hidden_cursor_fd = -1;
  RestoreCursorOnSignals(false);
}

std::vector<std::string> Progress::FailedOutput() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const StepView& step : model_.steps) {
    if (step.state == Kind::kFailed) {
      return std::vector<std::string>(step.tail.begin(), step.tail.end());
    }
  }
  return {};
}

}  // namespace lamina::cli
