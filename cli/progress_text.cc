// How steps look: pure functions from the model to lines.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "cli/progress.h"

namespace lamina::cli {
namespace {

constexpr absl::string_view kGreen = "\x1b[32m";
constexpr absl::string_view kRed = "\x1b[31m";
constexpr absl::string_view kFaint = "\x1b[2m";
constexpr absl::string_view kReset = "\x1b[0m";

struct Mark {
  absl::string_view utf8;
  absl::string_view ascii;
  absl::string_view colour;
};

Mark MarkOf(StepEvent::Kind state) {
  switch (state) {
    case StepEvent::Kind::kFinished:
    case StepEvent::Kind::kCached:
      return {"✓", "+", kGreen};
    case StepEvent::Kind::kFailed:
      return {"✗", "x", kRed};
    case StepEvent::Kind::kNotReached:
      return {"–", "-", kFaint};
    case StepEvent::Kind::kStarted:
    case StepEvent::Kind::kOutput:
      return {"▸", ">", ""};
  }
  return {};
}

std::string StateText(const StepView& step, double now) {
  switch (step.state) {
    case StepEvent::Kind::kCached:
      return "cached";
    case StepEvent::Kind::kNotReached:
      return "not reached";
    case StepEvent::Kind::kFailed:
      return absl::StrFormat("failed %.1f s", step.seconds);
    case StepEvent::Kind::kFinished:
      return absl::StrFormat("%.1f s", step.seconds);
    case StepEvent::Kind::kStarted:
    case StepEvent::Kind::kOutput:
      return absl::StrFormat("%.1f s", now - step.started);
  }
  return "";
}

std::string Coloured(absl::string_view text, absl::string_view colour,
                     const ScreenOptions& options) {
  return options.colour && !colour.empty() ? absl::StrCat(colour, text, kReset)
                                           : std::string(text);
}

bool IsActive(const StepView& step) {
  return step.state == StepEvent::Kind::kStarted;
}

std::string Summary(const ProgressModel& model, double now) {
  std::string text = absl::StrFormat("[+] %.1fs  %d/%d steps", now, model.done,
                                     static_cast<int>(model.steps.size()));
  if (model.cached > 0) {
    absl::StrAppend(&text, "  (", model.cached, " cached)");
  }
  if (model.running > 0) {
    absl::StrAppend(&text, "  ", model.running, " running");
  }
  return text;
}

// The newest lines of an active step, an unfinished one included.
void AppendTail(const StepView& step, size_t count,
                const ScreenOptions& options, std::vector<std::string>& lines) {
  std::vector<std::string> tail(step.tail.begin(), step.tail.end());
  if (std::string partial = VisibleLine(step.partial); !partial.empty()) {
    tail.push_back(std::move(partial));
  }
  const absl::string_view bar = options.utf8 ? "   │ " : "   | ";
  for (size_t i = tail.size() - std::min(count, tail.size()); i < tail.size();
       ++i) {
    lines.push_back(Coloured(CutToWidth(absl::StrCat(bar, tail[i]),
                                        options.size.columns - 1, options.utf8),
                             kFaint, options));
  }
}

}  // namespace

std::string PlainTitle(const StepView& step) {
  std::string place = VisibleLine(step.step.stage);
  if (step.step.total > 0) {
    absl::StrAppend(&place, place.empty() ? "" : " ", step.step.number, "/",
                    step.step.total);
  }
  return absl::StrCat("#", step.id, " ",
                      place.empty() ? "" : absl::StrCat("[", place, "] "),
                      VisibleLine(step.step.text));
}

std::string ScreenStepLine(const StepView& step, double now,
                           const ScreenOptions& options) {
  const Mark mark = MarkOf(step.state);
  const std::string state = StateText(step, now);
  const size_t columns = options.size.columns - 1;
  const size_t right = state.size() + 2;
  const size_t room = columns > right + 3 ? columns - right - 3 : 1;
  std::string title = VisibleLine(
      absl::StrCat(step.step.stage, step.step.stage.empty() ? "" : " ",
                   step.step.number, "  ", step.step.text));
  title = CutToWidth(title, room, options.utf8);
  title.append(room - std::min(room, DisplayWidth(title)), ' ');
  return absl::StrCat(
      " ",
      Coloured(options.utf8 ? mark.utf8 : mark.ascii, mark.colour, options),
      " ", title, "  ", state);
}

std::vector<std::string> ScreenLines(const ProgressModel& model, double now,
                                     const ScreenOptions& options) {
  std::vector<std::string> lines = {
      CutToWidth(Summary(model, now), options.size.columns - 1, options.utf8)};
  if (model.running == 0) {
    return lines;
  }
  // The region must fit on the screen, or moving up would not reach its top.
  const size_t rows = options.size.rows > 2 ? options.size.rows - 2 : 1;
  const size_t running = static_cast<size_t>(model.running);
  const size_t log_lines =
      rows > running ? std::min(options.log_lines, (rows - running) / running)
                     : 0;
  for (const StepView& step : model.steps) {
    if (!IsActive(step) || lines.size() > rows) {
      continue;
    }
    lines.push_back(ScreenStepLine(step, now, options));
    AppendTail(step, log_lines, options, lines);
  }
  return lines;
}

}  // namespace lamina::cli
