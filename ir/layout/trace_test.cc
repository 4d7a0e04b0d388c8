// Traces as text, and the trees they fold into.
#include "ir/layout/trace.h"

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "ir/layout/test_fixtures.h"

namespace lamina::ir {
namespace {

constexpr char kHead[] =
    R"({"t":"trace","version":1,"name":"x","steps":2,"events":1,"base_layers":0})";

std::string Error(const std::vector<std::string>& lines) {
  absl::StatusOr<std::vector<Trace>> traces =
      ParseTraces(absl::StrJoin(lines, "\n"));
  return traces.ok() ? "no error" : std::string(traces.status().message());
}

std::string Put(const std::string& members) {
  return absl::StrCat(
      R"({"t":"put","i":1,"type":"f","mode":"0644","uid":0,"gid":0,"size":1,)",
      R"("digest":"d",)", members, "}");
}

TEST(Trace, TextReadsBackToAnEqualTrace) {
  Trace trace = MakeTrace(
      {{{"a", std::nullopt}, {"d", FolderState()}, {"d/f", FileState("x", 7)}},
       {{"a\xff", PathState{.type = EntryType::kSymlink,
                            .mode = 0777,
                            .uid = 4294967295,
                            .mtime = -5,
                            .body = "\xfe"}},
        {"c",
         PathState{
             .type = EntryType::kCharDevice, .mode = 04755, .body = "1:3"}},
        {"h", LinkedState("i", 3)},
        {"i", LinkedState("i", 3)},
        {"p", PathState{.type = EntryType::kFifo,
                        .xattrs = {{"user.a", std::string("\0\x7f", 2)}}}}}});
  trace.base = {{"a", FolderState()}, {"a/ä", FileState("y", 0)}};
  trace.base_layers = 3;
  trace.budget = -1;
  trace.steps[0].ms = 1.5;
  trace.epochs = {{4, {1, 2}}, {1, {}}};
  trace.cuts = {{1, true, "somebody"}};
  const std::string text = PrintTrace(trace);
  absl::StatusOr<std::vector<Trace>> back = ParseTraces(text + text);
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ(back->size(), 2U);
  EXPECT_TRUE((*back)[0] == trace && (*back)[1] == trace) << text;
}

TEST(Trace, EventsAreSortedAndCompressedSizesWin) {
  absl::StatusOr<std::vector<Trace>> traces = ParseTraces(absl::StrJoin(
      std::vector<std::string>{
          absl::StrReplaceAll(kHead, {{"\"events\":1", "\"events\":4"}}),
          Put(R"("path":"a-b")"), Put(R"("path":"a/b","csize":9,"new":[])"), "",
          R"({"t":"del","i":1,"path":"z"})", R"({"t":"del","i":2,"path":"a"})"},
      "\n"));
  ASSERT_TRUE(traces.ok()) << traces.status();
  const std::vector<PathEvent>& events = (*traces)[0].steps[0].events;
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].path, "z");
  EXPECT_EQ(events[1].path, "a/b");
  EXPECT_EQ(events[1].state->size, 9U);
  EXPECT_EQ(events[2].path, "a-b");
  EXPECT_EQ(events[2].state->size, 1U);
}

TEST(Trace, MistakesNameTheLine) {
  const std::string put = Put(R"("path":"a")");
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{kHead, "{"}, "line 2: invalid JSON at byte 2"},
      {{kHead, "[]"}, "line 2: a record is a JSON object"},
      {{put}, "line 1: a trace begins with a `trace` record"},
      {{kHead},
       "line 1: the trace `x` has 0 put and del records, its head "
       "says 1; the file may be cut off"},
      {{kHead, put, put}, "line 3: the trace `x` has 2 put"},
      {{kHead, R"({"t":"step","i":3})"}, "line 2: `i` is 3, not 1 to 2"},
      {{kHead, R"({"t":"putt"})"}, "line 2: unknown record `putt`"},
      {{kHead, Put(R"("path":"/a")")}, "line 2: `/a` is no clean relative"},
      {{kHead, Put(R"("path":"a/../b")")}, "line 2: `a/../b` is no clean"},
      {{kHead, Put(R"("path":"")")}, "line 2: `` is no clean"},
      {{kHead, Put(R"("path_hex":"6")")}, "line 2: `path_hex` is no text of"},
      {{kHead, Put(R"("path":"a","xattrs":{"x":"zz"})")}, "line 2: `xattrs`"},
      {{kHead, Put(R"("path":"a","mtime":"1")")}, "line 2: `mtime` is missing"},
      {{R"({"t":"trace","version":2})"}, "line 1: traces of version 2"},
      {{kHead, R"({"t":"epoch","weight":0,"steps":[]})"}, "line 2: `weight`"},
      {{kHead, R"({"t":"epoch","weight":1,"steps":[3]})"},
       "line 2: `steps` has 3, not a number from 1 to 2"},
      {{kHead, R"({"t":"cut","i":2,"rule":"forced","why":"w"})"},
       "line 2: `i` is 2, not 1 to 1"},
      {{kHead, R"({"t":"cut","i":1,"rule":"forced","why":"you"})",
        R"({"t":"cut","i":1,"rule":"forbidden","why":"me"})"},
       "line 3: the cut after step 1 is both forced (you) and forbidden (me)"},
  };
  for (const auto& [lines, message] : cases) {
    EXPECT_TRUE(absl::StartsWith(Error(lines), message)) << Error(lines);
  }
  EXPECT_EQ(Error({absl::StrReplaceAll(kHead, {{":1,\"base", ":2,\"base"}}),
                   put, put}),
            "line 3: step 1 puts `a` twice");
}

TEST(Trace, AStepDeletesBeforeItWrites) {
  PathStates states;
  ApplyEvents({{"d", FolderState()},
               {"d/f", FileState("1", 1)},
               {"d-f", FileState("2", 1)}},
              states);
  ApplyEvents(
      {{"d", std::nullopt}, {"d", FolderState()}, {"d/g", FileState("3", 1)}},
      states);
  EXPECT_EQ(states.size(), 3U);
  EXPECT_FALSE(states.contains("d/f"));
  // A folder stays what it was below; anything else drops it.
  ApplyEvents({{"d", FolderState()}}, states);
  EXPECT_TRUE(states.contains("d/g"));
  ApplyEvents({{"d", FileState("4", 1)}}, states);
  EXPECT_FALSE(states.contains("d/g"));
  EXPECT_TRUE(states.contains("d-f"));
}

TEST(Trace, FixturesReadBackToEqualTraces) {
  SKIP_WITHOUT_FIXTURES();
  int count = 0;
  for (const TraceCase& test : ReadTraceCases()) {
    absl::StatusOr<std::vector<Trace>> back =
        ParseTraces(PrintTrace(test.trace));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(back->at(0) == test.trace) << test.trace.name;
    ++count;
  }
  EXPECT_EQ(count, 216);
}

}  // namespace
}  // namespace lamina::ir
