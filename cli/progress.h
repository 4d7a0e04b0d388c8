// What a build does, as it happens: a model fed by events, and printers over
// it. Everything goes to stderr.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/build_event.h"
#include "absl/strings/string_view.h"
#include "cli/terminal_text.h"

namespace lamina::cli {

// Numbers count in the stage; progress shows what the back end reports.
using StepEvent = backend::BuildEvent;

enum class ProgressMode { kAuto, kTty, kPlain, kQuiet };

// "auto", "tty", "plain", "quiet" or "none". Others are usage errors.
absl::StatusOr<ProgressMode> ParseProgressMode(absl::string_view name);
// kAuto becomes what BUILDKIT_PROGRESS says, else kTty if `fd` is a terminal
// that can move its cursor, else kPlain.
ProgressMode ResolveProgressMode(ProgressMode mode, int fd);

// One step as the printers see it.
struct StepView {
  int id = 0;  // From 1, in the order of the first events.
  StepEvent::Kind state = StepEvent::Kind::kStarted;
  StepEvent step;      // Number, total, stage, text.
  double started = 0;  // On the clock of the model.
  double seconds = 0;
  std::string partial;           // Output after the last line end.
  std::deque<std::string> tail;  // The last lines, ready to be shown.
};

struct ProgressModel {
  std::deque<StepView> steps;  // By id.
  int running = 0;
  int cached = 0;
  int done = 0;  // Cached ones included.
};

struct ScreenOptions {
  TerminalSize size;
  bool colour = false;
  bool utf8 = true;
  size_t log_lines = 6;  // Of each active step.
};

// "#4 [build 2/6] RUN make".
std::string PlainTitle(const StepView& step);
// One line for a step that is over; no line end.
std::string ScreenStepLine(const StepView& step, double now,
                           const ScreenOptions& options);
// The lines of the lower region: a summary and the active steps.
std::vector<std::string> ScreenLines(const ProgressModel& model, double now,
                                     const ScreenOptions& options);

class Progress {
 public:
  // `mode` is not kAuto. `clock` returns seconds, never backwards; it is
  // replaced in tests.
  explicit Progress(ProgressMode mode, int fd = 2,
                    std::function<double()> clock = nullptr);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Thread-safe.
  void Handle(const StepEvent& event);
  // Draws the last state and gives the terminal back. Nothing is drawn after
  // it; a second call does nothing.
  void Finish();

  // The last 50 lines of the first failed step; empty while none failed.
  std::vector<std::string> FailedOutput();

 private:
  StepView& FindStep(const StepEvent& event);
  void AddOutput(StepView& step, absl::string_view bytes);
  void AddLine(StepView& step, absl::string_view line);
  void EndStep(StepView& step, const StepEvent& event);
  void Print(absl::string_view text);
  void Draw(bool last);
  void Tick();

  const ProgressMode mode_;
  const int fd_;
  const std::function<double()> clock_;
  ScreenOptions screen_;

  std::mutex mutex_;  // Guards everything below.
  ProgressModel model_;
  std::vector<int> over_;   // Ids whose final line is not drawn yet.
  size_t drawn_lines_ = 0;  // Height of the lower region on the screen.
  bool finished_ = false;
  std::condition_variable wake_;
  std::thread ticker_;  // kTty only.
};

}  // namespace lamina::cli
