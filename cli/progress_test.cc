#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "cli/progress.h"

namespace lamina::cli {
namespace {

using Kind = StepEvent::Kind;

StepEvent Event(Kind kind, int number, const std::string& text,
                const std::string& output = "", double seconds = 0) {
  return {.kind = kind,
          .number = number,
          .total = 6,
          .stage = "build",
          .text = text,
          .output = output,
          .seconds = seconds};
}

// What a plain printer writes for `events`; the clock advances by 0.25 s with
// every look at it.
std::string PlainOutput(const std::vector<StepEvent>& events) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  double now = 0;
  {
    Progress progress(ProgressMode::kPlain, writer.get(),
                      [&now] { return now += 0.25; });
    for (const StepEvent& event : events) {
      progress.Handle(event);
    }
  }
  writer.Close();
  return *ReadAll(reader.get());
}

TEST(PlainProgress, EveryLineNamesItsStep) {
  EXPECT_EQ(PlainOutput({
                Event(Kind::kCached, 1, "WORKDIR /src"),
                Event(Kind::kStarted, 2, "RUN make"),
                Event(Kind::kOutput, 2, "", "one\ntw"),
                Event(Kind::kOutput, 2, "", "o\nend"),
                Event(Kind::kFinished, 2, "", "", 3.14),
                Event(Kind::kFailed, 3, "RUN false", "", 0.2),
                Event(Kind::kNotReached, 4, "RUN true"),
            }),
            "#1 [build 1/6] WORKDIR /src\n"
            "#1 CACHED\n"
            "#2 [build 2/6] RUN make\n"
            "#2 0.250 one\n"
            "#2 0.500 two\n"
            "#2 0.750 end\n"
            "#2 DONE 3.1s\n"
            "#3 [build 3/6] RUN false\n"
            "#3 FAILED 0.2s\n"
            "#4 [build 4/6] RUN true\n"
            "#4 NOT REACHED\n");
}

TEST(PlainProgress, EscapeSequencesOfAStepDoNotReachTheTerminal) {
  const std::string output = PlainOutput({
      Event(Kind::kStarted, 1, "RUN \x1b[31mevil"),
      Event(Kind::kOutput, 1, "",
            "\x1b]52;c;aGk=\x07"
            "a\x1b[2Jb\xc2\x9b"
            "c\n"),
  });
  EXPECT_EQ(output, "#1 [build 1/6] RUN evil\n#1 0.250 abc\n");
}

TEST(VisibleLine, KeepsTextAndDropsControls) {
  EXPECT_EQ(VisibleLine("10%\r50%\r100%"), "100%");
  EXPECT_EQ(VisibleLine("dos\r"), "dos");
  EXPECT_EQ(VisibleLine("a\tb"), "a       b");
  EXPECT_EQ(VisibleLine("\x1b(Bplain\x1b[0;1m bold"), "plain bold");
  EXPECT_EQ(VisibleLine("\x1bP1;2|secret\x1b\\after"), "after");
  EXPECT_EQ(VisibleLine("grün ✓"), "grün ✓");
  EXPECT_EQ(VisibleLine("\xff"), "\\xff");
  EXPECT_EQ(VisibleLine("cut \x1b["), "cut ");
}

TEST(CutToWidth, CountsColumns) {
  EXPECT_EQ(CutToWidth("abcdef", 6, true), "abcdef");
  EXPECT_EQ(CutToWidth("abcdef", 5, true), "abcd…");
  EXPECT_EQ(CutToWidth("abcdef", 5, false), "ab...");
  EXPECT_EQ(CutToWidth("日本語", 5, true), "日本…");
}

ProgressModel ModelWith(int running, int lines) {
  ProgressModel model;
  for (int i = 1; i <= running; ++i) {
    StepView step;
    step.id = i;
    step.step = Event(Kind::kStarted, i, "RUN make");
    for (int line = 1; line <= lines; ++line) {
      step.tail.push_back(absl::StrCat("line ", line));
    }
    model.steps.push_back(std::move(step));
  }
  model.running = running;
  return model;
}

TEST(Screen, ActiveStepsShowTheirLastLines) {
  ScreenOptions options;
  options.size.columns = 40;
  const std::vector<std::string> lines =
      ScreenLines(ModelWith(1, 9), 8.2, options);
  ASSERT_EQ(lines.size(), 8);
  EXPECT_EQ(lines[0], "[+] 8.2s  0/1 steps  1 running");
  EXPECT_EQ(lines[1], " ▸ build 1  RUN make              8.2 s");
  EXPECT_EQ(lines[2], "   │ line 4");
  EXPECT_EQ(lines[7], "   │ line 9");
}

TEST(Screen, TheRegionFitsOnASmallTerminal) {
  ScreenOptions options;
  for (const size_t rows : {3, 5, 10, 24}) {
    options.size.rows = rows;
    EXPECT_LT(ScreenLines(ModelWith(8, 9), 1, options).size(), rows);
  }
}

// Runs `body` on a pseudo terminal of its own and returns what it wrote.
std::string OnTerminal(void (*body)(), int* status) {
  struct winsize size = {.ws_row = 24, .ws_col = 60};
  int master = -1;
  const pid_t child = forkpty(&master, nullptr, nullptr, &size);
  if (child == 0) {
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TERM", "xterm", 1);
    body();
    _exit(0);
  }
  std::string text;
  char buffer[4096];
  ssize_t count;
  while ((count = read(master, buffer, sizeof buffer)) > 0) {
    text.append(buffer, count);
  }
  close(master);
  waitpid(child, status, 0);
  return text;
}

TEST(TerminalProgress, FinishedStepsCollapseAndTheCursorComesBack) {
  int status = 0;
  const std::string text = OnTerminal(
      [] {
        setenv("NO_COLOR", "1", 1);
        Progress progress(ResolveProgressMode(ProgressMode::kAuto, 2));
        progress.Handle(Event(Kind::kCached, 1, "WORKDIR /src"));
        progress.Handle(Event(Kind::kStarted, 2, "RUN make"));
        progress.Handle(Event(Kind::kOutput, 2, "", "compiling\n"));
        usleep(300'000);
        progress.Handle(Event(Kind::kFinished, 2, "", "", 3.1));
        progress.Finish();
      },
      &status);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(absl::StartsWith(text, "\x1b[?25l")) << text;
  EXPECT_TRUE(absl::StrContains(text, "   │ compiling\r\n")) << text;
  EXPECT_TRUE(absl::StrContains(text, " ✓ build 1  WORKDIR /src")) << text;
  EXPECT_TRUE(absl::StrContains(text, "3.1 s\r\n")) << text;
  EXPECT_TRUE(absl::StrContains(text, "2/2 steps  (1 cached)")) << text;
  EXPECT_FALSE(absl::StrContains(text, "\x1b[32m")) << text;
  EXPECT_GT(text.rfind("\x1b[?25h"), text.rfind("\x1b[?25l"));
}

TEST(TerminalProgress, ASignalGivesTheCursorBack) {
  int status = 0;
  const std::string text = OnTerminal(
      [] {
        Progress progress(ProgressMode::kTty);
        progress.Handle(Event(Kind::kStarted, 2, "RUN make"));
        raise(SIGTERM);
      },
      &status);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  EXPECT_TRUE(absl::StrContains(text, "\x1b[?25h")) << text;
}

TEST(Progress, RemembersTheLastLinesOfTheFailedStep) {
  Progress progress(ProgressMode::kQuiet);
  for (int i = 1; i <= 60; ++i) {
    progress.Handle(
        Event(Kind::kOutput, 1, "RUN x", absl::StrCat("l", i, "\n")));
  }
  EXPECT_TRUE(progress.FailedOutput().empty());
  progress.Handle(Event(Kind::kFailed, 1, "RUN x"));
  ASSERT_EQ(progress.FailedOutput().size(), 50);
  EXPECT_EQ(progress.FailedOutput().front(), "l11");
  EXPECT_EQ(progress.FailedOutput().back(), "l60");
}

TEST(Progress, AnUnknownModeIsAUsageError) {
  EXPECT_TRUE(ParseProgressMode("plain").ok());
  EXPECT_FALSE(ParseProgressMode("fancy").ok());
}

}  // namespace
}  // namespace lamina::cli
