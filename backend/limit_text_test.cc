#include "backend/limit_text.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lamina::backend {
namespace {

std::vector<std::string> Notes(const Diagnostic& diagnostic) {
  std::vector<std::string> notes;
  for (const Note& note : diagnostic.notes) {
    notes.push_back(note.message);
  }
  return notes;
}

using Lines = std::vector<std::string>;

LimitContext Context(int steps) {
  LimitContext context = {.file = "Dockerfile",
                          .base = "python:3.12",
                          .base_layers = 7,
                          .limit_name = "portable",
                          .level = "O0",
                          .verbatim = true};
  for (int i = 1; i <= steps; ++i) {
    const auto begin = static_cast<uint32_t>(10 * i);
    context.steps.push_back({.keyword = i % 3 == 0 ? "COPY" : "RUN",
                             .line = i + 1,
                             .end_line = i + 1,
                             .range = SourceRange{begin, begin + 5}});
  }
  context.from = SourceRange{0, 4};
  return context;
}

TEST(LimitText, NamesTheCheapestMergesAsGroupsOfLines) {
  LimitContext context = Context(124);
  context.chain_layers = 23;
  ir::LimitProblem problem = {.needed = 124, .limit = 113};
  // Not in order: the planner's list need not be.
  for (int step : {30, 13, 14}) {
    problem.merges.push_back({.step = step});
  }
  problem.stored_change = -(12 << 20);
  problem.update_change = 3251200;
  const Diagnostic diagnostic = LimitDiagnostic(problem, context);
  EXPECT_EQ(diagnostic.code, "too-many-layers");
  EXPECT_EQ(diagnostic.message, "131 layers, the limit is 120");
  EXPECT_EQ(diagnostic.range, (SourceRange{130, 135}));
  EXPECT_EQ(
      Notes(diagnostic),
      (Lines{"base python:3.12 has 7, -O0 makes one layer of each of 124 "
             "steps; Docker's store stops at 125 (--max-layers=portable)",
             "cheapest merge set: 3 merges, 12.0 MiB less stored, 3.1 MiB more "
             "per update",
             "  Dockerfile:14-16  RUN RUN COPY", "  Dockerfile:31-32  COPY RUN",
             "-O1 plans 23 own layers; or --max-layers=containerd if no "
             "Docker engine shall run this image"}));
}

TEST(LimitText, CutsALongListShort) {
  ir::LimitProblem problem = {.needed = 124, .limit = 40};
  for (int step = 1; step < 60; step += 3) {
    problem.merges.push_back({.step = step});
  }
  const Lines notes = Notes(LimitDiagnostic(problem, Context(124)));
  ASSERT_EQ(notes.size(), 12u);
  EXPECT_EQ(notes[10], "  … and 12 more groups");
}

TEST(LimitText, NamesWhoForcedADroppedCut) {
  LimitContext context = Context(50);
  context.verbatim = false;
  context.level = "O1";
  context.limit_name = "50";
  context.head_room = 3;
  ir::LimitProblem problem = {.needed = 41, .limit = 40};
  problem.merges.push_back({.step = 9});
  problem.dropped.push_back({.step = 9, .why = "`# lamina layer=cut`"});
  const Diagnostic diagnostic = LimitDiagnostic(problem, context);
  EXPECT_EQ(diagnostic.message, "48 layers and 3 kept free, the limit is 50");
  EXPECT_EQ(diagnostic.notes[3].range, (SourceRange{90, 95}));
  EXPECT_EQ(
      Notes(diagnostic),
      (Lines{"base python:3.12 has 7, forced cuts make 41 layers, 3 are kept "
             "free (--head-room) (--max-layers=50)",
             "cheapest merge set: 1 merge, 0 B more stored, 0 B more per "
             "update",
             "  Dockerfile:10-11  COPY RUN",
             "it drops the cut after Dockerfile:10, forced by `# lamina "
             "layer=cut`",
             "drop those cuts; or a higher --max-layers"}));
}

TEST(LimitText, SaysSoWhenTheBaseAloneIsTooMuch) {
  LimitContext context = Context(1);
  context.base_layers = 121;
  const Diagnostic diagnostic =
      LimitDiagnostic({.needed = 1, .limit = -1}, context);
  EXPECT_EQ(diagnostic.message,
            "the base alone has 121 layers, the limit is 120");
  EXPECT_EQ(diagnostic.range, context.from);
  const Lines notes = Notes(diagnostic);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[1],
            "another --max-layers if no such engine shall run it, or a "
            "base with fewer layers");
}

}  // namespace
}  // namespace lamina::backend
