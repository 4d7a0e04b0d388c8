#include "ir/layout/segments.h"

#include <set>

#include "ir/layout/test_fixtures.h"

namespace lamina::ir {
namespace {

// One net diff, from two whole trees and the rules of optimiser.md 5.1.
SegmentSize Compare(const PathStates& before, const PathStates& after) {
  SegmentSize size;
  std::set<std::string> inodes;
  for (const auto& [path, state] : after) {
    bool first = state.link.empty() || inodes.insert(state.link).second;
    auto old = before.find(path);
    if (old == before.end() || !old->second.SameAs(state)) {
      ++size.entries;
      size.bytes += 512;
      size.bytes += state.type == EntryType::kFile && first ? state.size : 0;
    }
  }
  for (const auto& [path, state] : before) {
    std::string folder(DirName(path));
    auto above = after.find(folder);
    bool parent =
        folder.empty() ||
        (above == after.end() ? !before.contains(folder)
                              : above->second.type == EntryType::kDirectory);
    if (!after.contains(path) && parent) {
      ++size.entries;
      ++size.whiteouts;
      size.bytes += 512;
    }
  }
  return size;
}

std::vector<PathStates> Trees(const Trace& trace) {
  std::vector<PathStates> trees(1);
  ApplyEvents(trace.base, trees[0]);
  for (const TraceStep& step : trace.steps) {
    trees.push_back(trees.back());
    ApplyEvents(step.events, trees.back());
  }
  return trees;
}

PathHistories Collect(const Trace& trace) {
  absl::StatusOr<PathHistories> histories = PathHistories::Collect(trace);
  EXPECT_TRUE(histories.ok()) << histories.status();
  return *std::move(histories);
}

std::vector<int> Ends(const Trace& trace) {
  std::vector<int> ends;
  for (size_t step = 1; step <= trace.steps.size(); ++step) {
    ends.push_back(static_cast<int>(step));
  }
  return ends;
}

void ExpectSizesOfTrees(const Trace& trace) {
  std::vector<PathStates> trees = Trees(trace);
  PathHistories histories = Collect(trace);
  SegmentTable<SegmentSize> sizes = SegmentSizes(histories);
  NeighbourSizes neighbours = SizesOfNeighbours(histories);
  for (int j = 1; j <= histories.positions(); ++j) {
    for (int i = 0; i < j; ++i) {
      EXPECT_TRUE(sizes(i, j) == Compare(trees[i], trees[j]))
          << trace.name << " " << i << " " << j << ": " << sizes(i, j).bytes
          << ", not " << Compare(trees[i], trees[j]).bytes;
    }
    EXPECT_EQ(neighbours.single[j - 1], sizes(j - 1, j).bytes);
    if (j > 1) {
      EXPECT_EQ(neighbours.pairs[j - 2], sizes(j - 2, j).bytes);
    }
  }
}

// A folder that becomes a file and one again, a state that comes back, an
// inode that loses its first name, a step without effect.
Trace Troubled() {
  Trace trace = MakeTrace({
      {{"d", FolderState()},
       {"d/a", FileState("a", 100)},
       {"d/b", FileState("b", 10)},
       {"l1", LinkedState("i", 1000)},
       {"l2", LinkedState("i", 1000)},
       {"l3", LinkedState("i", 1000)}},
      {{"d", FileState("d", 7)}, {"l1", std::nullopt}},
      {{"d", std::nullopt},
       {"d", FolderState()},
       {"d/a", FileState("a", 100)},
       {"l2", FileState("x", 1)}},
      {{"d/a", FileState("a", 100)}},
      {{"base", FileState("base", 50, 0600)}},
      {{"base", FileState("base", 50)}, {"d", std::nullopt}},
  });
  trace.base = {{"base", FileState("base", 50)}};
  trace.epochs = {{3, {1, 3}}, {2, {2}}, {1, {}}};
  return trace;
}

TEST(Segments, SizesAreThoseOfTheTrees) {
  ExpectSizesOfTrees(Troubled());
  ExpectSizesOfTrees(MakeTrace({}));
}

TEST(Segments, SizesByHand) {
  SegmentTable<SegmentSize> sizes = SegmentSizes(Collect(Troubled()));
  EXPECT_EQ(sizes(0, 1).bytes, 6U * 512 + 100 + 10 + 1000);
  // l2 now has the bytes, and nothing below the file d needs a whiteout.
  EXPECT_EQ(sizes(0, 2).bytes, 3U * 512 + 7 + 1000);
  EXPECT_TRUE(sizes(1, 2) == (SegmentSize{2 * 512 + 7, 2, 1}));
  // Only d/b is missing in the new folder d.
  EXPECT_TRUE(sizes(1, 3) == (SegmentSize{3 * 512 + 1, 3, 2}));
  EXPECT_TRUE(sizes(3, 4) == SegmentSize());
  EXPECT_TRUE(sizes(4, 6) == (SegmentSize{512, 1, 1}));
}

TEST(Segments, ChangeWeightsCountAnEpochOnce) {
  Trace trace = Troubled();
  SegmentTable<int64_t> changed = ChangeWeights(trace.epochs, Ends(trace));
  EXPECT_EQ(TotalWeight(trace.epochs), 6);
  EXPECT_EQ(TotalWeight({}), 1);
  EXPECT_EQ(changed(0, 1), 3);
  EXPECT_EQ(changed(0, 3), 5);
  EXPECT_EQ(changed(1, 2), 2);
  EXPECT_EQ(changed(3, 6), 0);
  // Steps 1 to 3 as one position.
  EXPECT_EQ(ChangeWeights(trace.epochs, {3, 6})(0, 1), 5);
}

TEST(Segments, DeadBytesHaveACauseAndACulprit) {
  std::vector<DeadBytes> dead = FindDeadBytes(Collect(Troubled()));
  std::vector<std::string> rows;
  for (const DeadBytes& row : dead) {
    rows.push_back(absl::StrCat(row.step, " ", row.guilty, " ",
                                static_cast<int>(row.cause), " ", row.bytes));
  }
  EXPECT_EQ(rows,
            (std::vector<std::string>{"1 2 0 512",   // Folder d became a file.
                                      "1 2 1 2646",  // d/a, d/b and l1.
                                      "1 3 0 512",   // l2 without its bytes.
                                      "2 3 0 519",   // The file d.
                                      "3 6 1 1124",  // d and d/a.
                                      "5 6 2 562"}));
}

TEST(Segments, OnlyWhatALaterLayerHidesIsDead) {
  Trace trace = Troubled();
  PathHistories histories = Collect(trace);
  // Step 5 and 6 together leave `base` alone.
  EXPECT_EQ(DeadInLayers(histories, {6}), std::vector<uint64_t>{0});
  EXPECT_EQ(DeadInLayers(histories, {1, 6}),
            (std::vector<uint64_t>{5 * 512 + 110 + 1000, 0}));
  EXPECT_EQ(DeadInLayers(histories, {4, 5, 6}),
            (std::vector<uint64_t>{1024 + 100, 562, 0}));
}

TEST(Segments, KeysAreThoseOfTheNetDiff) {
  Trace trace = Troubled();
  Trace renamed = trace;
  for (PathEvent& event : renamed.steps[0].events) {
    if (event.state && event.state->link == "i") {
      event.state->link = "other";
    }
  }
  SegmentTable<SegmentKey> keys = SegmentKeys(Collect(trace));
  SegmentTable<SegmentKey> same = SegmentKeys(Collect(renamed));
  SegmentTable<SegmentKey> later =
      SegmentKeys(Collect(MakeTrace({{}, trace.steps[0].events})));
  EXPECT_TRUE(keys(0, 1) == same(0, 1));
  EXPECT_TRUE(keys(0, 1) == later(0, 2));
  EXPECT_TRUE(keys(3, 4) == 0);
  EXPECT_FALSE(keys(0, 1) == keys(0, 2));
  EXPECT_EQ(SegmentKeyText(keys(3, 4)), std::string(32, '0'));
  EXPECT_NE(SegmentKeyText(keys(0, 1)), SegmentKeyText(keys(1, 2)));
}

TEST(Segments, JoinedStepsAreOnePosition) {
  Trace trace = Troubled();
  SegmentTable<SegmentSize> all = SegmentSizes(Collect(trace));
  absl::StatusOr<PathHistories> joined =
      PathHistories::Collect(trace, {2, 3, 6});
  ASSERT_TRUE(joined.ok());
  SegmentTable<SegmentSize> sizes = SegmentSizes(*joined);
  EXPECT_TRUE(sizes(0, 1) == all(0, 2));
  EXPECT_TRUE(sizes(1, 2) == all(2, 3));
  EXPECT_TRUE(sizes(1, 3) == all(2, 6));
}

TEST(Segments, AFileHasNothingBelowIt) {
  EXPECT_EQ(PathHistories::Collect(MakeTrace({{{"a", FileState("a", 1)}},
                                              {{"a/b", FileState("b", 1)}}}))
                .status()
                .message(),
            "step 2 puts `a/b`, but `a` is no folder");
}

TEST(Segments, AFolderThatOnlyADeletionMentionsIsThere) {
  Trace trace = MakeTrace({{{"d", std::nullopt}}});
  trace.base = {{"d/f", FileState("f", 1)}};
  EXPECT_TRUE(SegmentSizes(Collect(trace))(0, 1) ==
              (SegmentSize{.bytes = 512, .entries = 1, .whiteouts = 1}));
}

Json Row(const SegmentTable<SegmentSize>& sizes, int i, int n,
         uint64_t (*value)(const SegmentSize&)) {
  Json row = Json::Array();
  for (int j = i + 1; j <= n; ++j) {
    row.Append(static_cast<int64_t>(value(sizes(i, j))));
  }
  return row;
}

void ExpectSegments(const Trace& trace, const Json& expected) {
  PathHistories histories = Collect(trace);
  SegmentTable<SegmentSize> sizes = SegmentSizes(histories);
  SegmentTable<int64_t> changed = ChangeWeights(trace.epochs, Ends(trace));
  int n = histories.positions();
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(Row(sizes, i, n, [](const auto& s) { return s.bytes; }),
              expected["bytes"].array()[i])
        << trace.name;
    EXPECT_EQ(
        Row(sizes, i, n, [](const auto& s) -> uint64_t { return s.entries; }),
        expected["entries"].array()[i])
        << trace.name;
    EXPECT_EQ(
        Row(sizes, i, n, [](const auto& s) -> uint64_t { return s.whiteouts; }),
        expected["whiteouts"].array()[i])
        << trace.name;
    for (int j = i + 1; j <= n; ++j) {
      EXPECT_EQ(changed(i, j),
                expected["changed"].array()[i].array()[j - i - 1].integer());
    }
  }
}

TEST(Segments, AgreeWithTheFixtures) {
  SKIP_WITHOUT_FIXTURES();
  std::map<std::string, Json> segments;
  for (const Json& row : ReadJsonLines("segments.expected.jsonl")) {
    segments[row["name"].string()] = row;
  }
  int count = 0;
  for (const TraceCase& test : ReadTraceCases()) {
    const Trace& trace = test.trace;
    if (trace.steps.size() < 20) {
      ExpectSizesOfTrees(trace);
    }
    if (!test.expected["segments"].is_null()) {
      segments[trace.name] = test.expected["segments"];
    }
    auto found = segments.find(trace.name);
    if (found != segments.end()) {
      ExpectSegments(trace, found->second);
      ++count;
    }
  }
  EXPECT_EQ(count, 31);
}

TEST(Segments, SummariesAgreeWithTheFixtures) {
  SKIP_WITHOUT_FIXTURES();
  for (const TraceCase& test : ReadTraceCases()) {
    PathHistories histories = Collect(test.trace);
    SegmentTable<SegmentSize> sizes = SegmentSizes(histories);
    int n = histories.positions();
    Json verbatim = Json::Array();
    uint64_t whiteouts = 0;
    for (int t = 1; t <= n; ++t) {
      verbatim.Append(static_cast<int64_t>(sizes(t - 1, t).bytes));
      whiteouts += sizes(t - 1, t).whiteouts * kEntryBytes;
    }
    uint64_t dead[3] = {};
    for (const DeadBytes& row : FindDeadBytes(histories)) {
      dead[static_cast<int>(row.cause)] += row.bytes;
    }
    const Json& expected = test.expected;
    EXPECT_EQ(verbatim, expected["verbatim"]) << test.trace.name;
    EXPECT_EQ(static_cast<int64_t>(sizes(0, n).bytes),
              expected["squashed"].integer());
    EXPECT_EQ(TotalWeight(test.trace.epochs), expected["weight"].integer());
    EXPECT_EQ(static_cast<int64_t>(whiteouts),
              expected["dead"]["whiteouts"].integer());
    const char* causes[] = {"overwritten", "deleted", "metadata"};
    for (int cause = 0; cause < 3; ++cause) {
      EXPECT_EQ(static_cast<int64_t>(dead[cause]),
                expected["dead"][causes[cause]].integer())
          << test.trace.name << " " << causes[cause];
    }
  }
}

}  // namespace
}  // namespace lamina::ir
