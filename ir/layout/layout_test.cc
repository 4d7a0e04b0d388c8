#include "ir/layout/layout.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "ir/layout/test_fixtures.h"
#include "ir/layout/tree_digest.h"

namespace lamina::ir {
namespace {

constexpr uint64_t kMega = 1 << 20;

LayoutResult Plan(const Trace& trace, const LayoutOptions& options = {},
                  const LayerLock* lock = nullptr) {
  absl::StatusOr<LayoutResult> result = PlanLayout(trace, options, lock);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_NE(result->layout.has_value(), result->problem.has_value());
  return *std::move(result);
}

Layout PlanGood(const Trace& trace, const LayoutOptions& options = {},
                const LayerLock* lock = nullptr) {
  LayoutResult result = Plan(trace, options, lock);
  EXPECT_TRUE(result.layout.has_value()) << trace.name;
  return result.layout.value_or(Layout());
}

std::string Layers(const Layout& layout) {
  return absl::StrJoin(layout.layers, " ", [](std::string* out, const auto& l) {
    absl::StrAppend(out, l.first, "-", l.last, ":", l.bytes);
  });
}

std::string Merges(const std::vector<LayoutMerge>& merges) {
  return absl::StrJoin(merges, " ", [](std::string* out, const auto& merge) {
    absl::StrAppend(out, merge.step, ":", MergeReasonName(merge.reason));
  });
}

// optimiser.md 5.6 by hand.
Trace WorkedExample() {
  Trace trace = MakeTrace(
      {{{"A", FileState("a", 100 * kMega)}, {"L", FileState("l", 30 * kMega)}},
       {{"R", FileState("r", 10240)}},
       {{"C", FileState("c", 50 * kMega)}, {"P", FileState("p", 200 * kMega)}},
       {{"C", std::nullopt}, {"L", std::nullopt}},
       {{"S", FileState("s", 5 * kMega)}},
       {{"S", FileState("s", 5 * kMega, 0755)}}});
  trace.epochs = {{7, {5, 6}}, {1, {2, 3}}, {1, {3, 5, 6}}, {1, {1}}};
  return trace;
}

TEST(Layout, TheWorkedExampleAsAChain) {
  Layout layout = PlanGood(WorkedExample());
  EXPECT_EQ(Layers(layout), "1-1:136315904 2-4:209726976 5-6:5243392");
  EXPECT_EQ(layout.layers[0].dead_bytes, 30 * kMega + 512);
  EXPECT_EQ(layout.layers[1].changed, 2);
  EXPECT_EQ(layout.total_weight, 10);
  EXPECT_EQ(layout.stored, 351286272U);
  EXPECT_EQ(layout.update, 59771699U);
  EXPECT_EQ(layout.verbatim_stored, 408959488U);
  EXPECT_EQ(layout.verbatim_update, 74451097U);
  EXPECT_EQ(layout.knee, 2);
  ASSERT_EQ(layout.curve.size(), 6U);
  EXPECT_EQ(layout.curve[2].layers, 3);
  EXPECT_EQ(layout.curve[2].cost, 165354188);
  EXPECT_EQ(layout.curve[2].stored, layout.stored);
  EXPECT_EQ(layout.curve[2].update, layout.update);
}

TEST(Layout, TheWorkedExampleSaysWhy) {
  Layout layout = PlanGood(WorkedExample());
  EXPECT_EQ(Merges(layout.merges), "2:too-small 3:dead-bytes 5:metadata");
  EXPECT_EQ(layout.merges[1].guilty, 4);
  EXPECT_EQ(layout.merges[1].stored / kMega, 50U);
  EXPECT_NEAR(layout.merges[1].cost / 1048576.0, 25.1, 0.05);
  EXPECT_EQ(layout.merges[2].guilty, 6);
  EXPECT_NEAR(layout.merges[2].cost / 1048576.0, 5.6, 0.05);
  EXPECT_EQ(layout.merges[0].update, -1075);
  ASSERT_EQ(layout.cuts.size(), 2U);
  EXPECT_EQ(layout.cuts[0].step, 1);
  EXPECT_EQ(layout.cuts[0].guilty, 4);
  EXPECT_EQ(layout.cuts[0].dead_bytes, 30 * kMega + 512);
  EXPECT_NEAR(layout.cuts[0].saves / 1048576.0, 27.9, 0.05);
  EXPECT_EQ(layout.cuts[1].step, 4);
  EXPECT_NEAR(layout.cuts[1].saves / 1048576.0, 140.4, 0.05);
  EXPECT_EQ(layout.cuts[1].dead_bytes, 0U);
}

TEST(Layout, TheWorkedExampleByAtoms) {
  LayoutOptions options;
  options.mode = LayoutMode::kPartition;
  Layout layout = PlanGood(WorkedExample(), options);
  EXPECT_EQ(layout.mode, LayoutMode::kPartition);
  std::vector<std::string> paths;
  for (const LayoutLayer& layer : layout.layers) {
    paths.push_back(absl::StrJoin(layer.paths, ","));
    EXPECT_EQ(layer.dead_bytes, 0U);
  }
  EXPECT_EQ(paths, (std::vector<std::string>{"P", "A", "S", "R"}));
  EXPECT_EQ(layout.layers[2].atoms, std::vector<std::string>{"step:5:."});
  EXPECT_EQ(layout.layers[2].first, 5);
  EXPECT_EQ(layout.layers[2].last, 6);
  EXPECT_EQ(layout.layers[2].changed, 8);
  EXPECT_EQ(layout.stored, 319827968U);
  EXPECT_EQ(layout.update / 1048576, 54U);
  ASSERT_TRUE(layout.lock.has_value());
  EXPECT_EQ(layout.lock->mode, "partition");
  EXPECT_EQ(layout.lock->layers.size(), layout.layers.size());
}

TEST(Layout, OneLayerAndOneLayerAStep) {
  LayoutOptions options;
  options.mode = LayoutMode::kOne;
  Layout one = PlanGood(WorkedExample(), options);
  EXPECT_EQ(Layers(one), "1-6:319827968");
  EXPECT_EQ(one.layers[0].changed, 10);
  EXPECT_EQ(one.verbatim_stored, 408959488U);
  EXPECT_FALSE(one.lock.has_value());
  options.mode = LayoutMode::kVerbatim;
  Layout verbatim = PlanGood(WorkedExample(), options);
  EXPECT_EQ(verbatim.layers.size(), 6U);
  EXPECT_EQ(verbatim.cuts.size(), 5U);
  EXPECT_EQ(verbatim.layers[4].dead_bytes, 5 * kMega + 512);
  EXPECT_EQ(verbatim.stored, verbatim.verbatim_stored);
}

TEST(Layout, NothingToDoMakesNoLayers) {
  for (LayoutMode mode : {LayoutMode::kVerbatim, LayoutMode::kChain,
                          LayoutMode::kPartition, LayoutMode::kOne}) {
    LayoutOptions options;
    options.mode = mode;
    options.own_limit = 0;
    EXPECT_TRUE(PlanGood(MakeTrace({}), options).layers.empty());
    EXPECT_TRUE(PlanGood(MakeTrace({{}, {}}), options).layers.empty());
  }
}

TEST(Layout, ASingleBinaryComesOutUnchanged) {
  LayoutOptions options;
  options.mode = LayoutMode::kPartition;
  Layout layout =
      PlanGood(MakeTrace({{{"app", FileState("x", kMega)}}}), options);
  EXPECT_EQ(Layers(layout), absl::StrCat("1-1:", kMega + 512));
}

TEST(Layout, ReasonsForMerges) {
  Trace trace = MakeTrace({{{"a", FileState("a", kMega)}},
                           {},
                           {{"b", FileState("b", kMega)}},
                           {{"c", FileState("c", 9 * kMega)}},
                           {{"d", FileState("d", 9 * kMega)}}});
  trace.epochs = {{1, {4}}, {1, {5}}};
  trace.cuts = {{1, false, "layer=begin"}, {3, false, "layer=begin"}};
  EXPECT_EQ(Merges(PlanGood(trace).merges), "1:empty 3:pragma");
  trace.cuts = {};
  EXPECT_EQ(Merges(PlanGood(trace).merges), "1:same-change 2:same-change");
  LayoutOptions options;
  options.own_limit = 2;
  Layout layout = PlanGood(trace, options);
  EXPECT_EQ(Merges(layout.merges), "1:budget 2:budget 3:budget");
  EXPECT_GT(layout.next_layer_saves, 0);
  EXPECT_LT(layout.merges[2].cost, 0);
  EXPECT_EQ(Layers(layout).substr(0, 4), "1-4:");
  trace.epochs = {};
  EXPECT_EQ(Merges(PlanGood(trace).merges),
            "1:same-change 2:same-change 3:same-change 4:same-change");
}

TEST(Layout, TooManyStepsForVerbatimNameTheCheapestMerges) {
  LayoutOptions options;
  options.mode = LayoutMode::kVerbatim;
  options.own_limit = 3;
  LayoutResult result = Plan(WorkedExample(), options);
  ASSERT_TRUE(result.problem.has_value());
  EXPECT_EQ(result.problem->needed, 6);
  EXPECT_EQ(result.problem->limit, 3);
  EXPECT_EQ(Merges(result.problem->merges),
            "2:too-small 3:dead-bytes 5:metadata");
  EXPECT_EQ(result.problem->stored_change, 351286272 - 408959488);
  EXPECT_EQ(result.problem->update_change, 59771699 - 74451097);
  // An empty step is a layer too where the caller makes one of it.
  Trace empty = MakeTrace({{}, {{"a", FileState("a", 1)}}});
  options.own_limit = 1;
  EXPECT_EQ(PlanGood(empty, options).layers.size(), 1U);
  options.keep_empty = true;
  EXPECT_EQ(Plan(empty, options).problem->needed, 2);
  options.own_limit = 0;
  result = Plan(WorkedExample(), options);
  EXPECT_TRUE(result.problem->merges.empty());
}

TEST(Layout, ForcedCutsThatDoNotFitNameWhoForcedThem) {
  Trace trace = WorkedExample();
  trace.cuts = {{2, true, "Dockerfile:3"}, {4, true, "target web"}};
  trace.budget = 2;
  LayoutResult result = Plan(trace);
  ASSERT_TRUE(result.problem.has_value());
  EXPECT_EQ(result.problem->needed, 3);
  ASSERT_EQ(result.problem->dropped.size(), 1U);
  EXPECT_EQ(result.problem->dropped[0].why, "Dockerfile:3");
  EXPECT_EQ(result.problem->merges.size(), 1U);
  EXPECT_LT(result.problem->stored_change, 0);
  trace.budget = 3;
  Layout layout = PlanGood(trace);
  EXPECT_EQ(layout.cuts[0].forced, "Dockerfile:3");
  EXPECT_EQ(layout.cuts[1].forced, "target web");
  trace.cuts = {{5, true, "me"}};
  EXPECT_LT(PlanGood(trace).cuts.back().saves, 0);
  trace.budget = -2;
  EXPECT_EQ(Plan(trace).problem->limit, -2);
}

TEST(Layout, CutRulesKeepTheOrderOfSteps) {
  Trace trace = WorkedExample();
  LayoutOptions options;
  options.mode = LayoutMode::kPartition;
  trace.cuts = {{5, true, "layer=cut"}};
  EXPECT_EQ(PlanGood(trace, options).mode, LayoutMode::kChain);
  trace.cuts = {};
  options.leaf = false;
  EXPECT_EQ(PlanGood(trace, options).mode, LayoutMode::kChain);
}

TEST(Layout, AtomsMustBeWorthIt) {
  // Both layouts have the same layers, so the steps keep their order.
  Trace trace = MakeTrace({{{"a", FileState("a", 50 * kMega)}},
                           {{"b", FileState("b", 50 * kMega)}}});
  trace.epochs = {{1, {2}}};
  LayoutOptions options;
  options.mode = LayoutMode::kPartition;
  EXPECT_EQ(PlanGood(trace, options).mode, LayoutMode::kChain);
}

TEST(Layout, ATraceThatContradictsItselfIsAnError) {
  Trace trace = WorkedExample();
  trace.cuts = {{6, true, ""}};
  EXPECT_FALSE(PlanLayout(trace, {}, nullptr).ok());
  trace.cuts = {{1, false, ""}, {1, true, ""}};
  EXPECT_EQ(PlanLayout(trace, {}, nullptr).status().message(),
            "the trace `test` forces and forbids a cut after step 1");
  trace = WorkedExample();
  trace.epochs.push_back({1, {7}});
  EXPECT_FALSE(PlanLayout(trace, {}, nullptr).ok());
}

TEST(Layout, AChainLockKeepsItsCuts) {
  Trace trace = WorkedExample();
  LayoutOptions options;
  options.target = "app";
  LayerLock lock = *PlanGood(trace, options).lock;
  EXPECT_EQ(lock.mode, "chain");
  ASSERT_EQ(lock.layers.size(), 3U);
  EXPECT_EQ(lock.layers[0].cut, "RUN step 1");
  EXPECT_EQ(lock.layers[2].cut, "");
  EXPECT_TRUE(*PlanGood(trace, options, &lock).lock == lock);
  // A new step goes into the layer it stands in; the cuts stay, though the
  // best ones are others now.
  trace.epochs = {{1, {1}}};
  trace.steps.insert(trace.steps.begin() + 2, TraceStep{.text = "RUN  new"});
  trace.steps[2].events = {{"N", FileState("n", 7)}};
  Layout layout = PlanGood(trace, options, &lock);
  EXPECT_EQ(layout.lock_note, "kept");
  EXPECT_EQ(Layers(layout), "1-1:136315904 2-5:209727495 6-7:5243392");
  EXPECT_EQ(Merges(layout.merges).substr(0, 6), "2:same");
  EXPECT_EQ(layout.lock->epochs, 1);
  EXPECT_TRUE(layout.lock->contents.contains("RUN new"));
  options.relayout = Relayout::kNow;
  layout = PlanGood(trace, options, &lock);
  EXPECT_EQ(layout.layers.size(), 2U);
  EXPECT_EQ(layout.lock_note, "switched: a new layout was asked for");
}

TEST(Layout, AChainLockIsLeftWhenItsLayersCostTooMuch) {
  Trace trace = WorkedExample();
  LayoutOptions options;
  options.target = "app";
  LayerLock lock = *PlanGood(trace, options).lock;
  lock.layers.erase(lock.layers.begin());  // Steps 1 to 4 are one layer.
  Layout layout = PlanGood(trace, options, &lock);
  EXPECT_EQ(Layers(layout), "1-4:314584576 5-6:5243392");
  EXPECT_EQ(Merges(layout.merges),
            "1:lock 2:lock 3:dead-bytes 5:metadata");
  // An update of step 3 fetches 100 MiB too much; the other layers have 330.
  for (int release = 1; release <= 4; ++release) {
    EXPECT_EQ(layout.lock_note, "kept");
    trace.steps[2].events[1].state->body = absl::StrCat("p", release);
    layout = PlanGood(trace, options, &lock);
    lock = *layout.lock;
  }
  EXPECT_EQ(layout.lock_note,
            "switched: its layers cost updates 419MB more than the new ones");
  EXPECT_EQ(layout.layers.size(), 3U);
  EXPECT_EQ(lock.regret, 0);
}

TEST(Layout, ALockThatIsWorseThanOneLayerAStepIsLeft) {
  LayoutOptions options;
  LayerLock lock = *PlanGood(WorkedExample(), options).lock;
  lock.layers.erase(lock.layers.begin() + 1);  // 2 to 6 are one layer.
  EXPECT_EQ(PlanGood(WorkedExample(), options, &lock).lock_note,
            "switched: one layer a step would be cheaper");
}

TEST(Layout, ALockOfAnotherKindIsNotFollowed) {
  LayoutOptions options;
  options.target = "app";
  LayerLock lock = {.target = "web", .mode = "chain"};
  Layout layout = PlanGood(WorkedExample(), options, &lock);
  EXPECT_TRUE(absl::StartsWith(layout.lock_note,
                               "not followed: the layer lock is of target"));
  EXPECT_EQ(layout.lock->target, "app");
}

TEST(Layout, APartitionLockKeepsItsLayersAndAChainLockItsMode) {
  Trace trace = WorkedExample();
  LayoutOptions options;
  options.mode = LayoutMode::kPartition;
  LayerLock lock = *PlanGood(trace, options).lock;
  trace.epochs = {{1, {1, 2, 3, 4, 5, 6}}};
  Layout layout = PlanGood(trace, options, &lock);
  EXPECT_EQ(layout.layers.size(), 4U);
  EXPECT_EQ(layout.lock_note, "kept");
  lock = *PlanGood(trace).lock;
  EXPECT_EQ(PlanGood(WorkedExample(), options, &lock).mode, LayoutMode::kChain);
}

TEST(Layout, SegmentKeysAreForTheNextBuild) {
  LayoutOptions options;
  EXPECT_EQ(PlanGood(WorkedExample(), options).layers[0].key, "");
  options.published.emplace();
  Layout layout = PlanGood(WorkedExample(), options);
  EXPECT_EQ(layout.layers[0].key.size(), 32U);
  EXPECT_NE(layout.layers[0].key, layout.layers[1].key);
}

// Layers that clients have are kept where new ones would be a little better.
TEST(Layout, PublishedSegmentsAreKept) {
  Trace trace = MakeTrace({{{"a", FileState("a", 1 << 20)}},
                           {{"b", FileState("b", 1 << 20)}}});
  trace.epochs = {{1, {1, 2}}, {1, {2}}};
  LayoutOptions options;
  options.published.emplace();
  ASSERT_EQ(PlanGood(trace, options).layers.size(), 2U);
  LayoutOptions one = options;
  one.own_limit = 1;
  options.published = {PlanGood(trace, one).layers[0].key};
  options.weights.rho = 900;
  EXPECT_EQ(PlanGood(trace, options).layers.size(), 1U);
}

// A step that installs packages changes when one of them does: each may have a
// layer of its own.
TEST(Layout, PackagesOfOneStepMayChangeAlone) {
  std::vector<PathEvent> installed;
  for (int package = 0; package < 8; ++package) {
    std::string folder = absl::StrCat("srv/node_modules/p", package);
    installed.push_back({absl::StrCat(folder, "/index.js"),
                         FileState(absl::StrCat("i", package), 4 << 20)});
    installed.push_back({absl::StrCat(folder, "/package.json"),
                         FileState(absl::StrCat("p", package), 100)});
  }
  Trace trace = MakeTrace({installed});
  trace.epochs = {{4, {1}}};
  LayoutOptions options;
  options.own_limit = 100;
  options.mode = LayoutMode::kPartition;
  Layout layout = PlanGood(trace, options);
  EXPECT_EQ(layout.mode, LayoutMode::kPartition);
  EXPECT_EQ(layout.layers.size(), 8U);
  options.mode = LayoutMode::kChain;
  EXPECT_EQ(PlanGood(trace, options).layers.size(), 1U);
}

TEST(Layout, ManyStepsAreJoinedAndStillExplained) {
  std::vector<std::vector<PathEvent>> steps;
  for (int step = 0; step < 2100; ++step) {
    std::string name = absl::StrCat("f", step);
    steps.push_back({{name, FileState(name, 1000)}});
  }
  Trace trace = MakeTrace(steps);
  trace.epochs = {{1, {700}}};
  LayoutOptions options;
  options.own_limit = 100;
  Layout layout = PlanGood(trace, options);
  EXPECT_EQ(layout.merges.size() + layout.cuts.size(), 2099U);
  EXPECT_EQ(layout.stored, 2100U * 1512);
  EXPECT_EQ(layout.layers.back().last, 2100);
}

// Folding the layers of a chain gives the last tree (R5), and the paths of a
// partition are those of the net diff.
void ExpectLegal(const Trace& trace, const Layout& layout) {
  PathStates base;
  ApplyEvents(trace.base, base);
  PathStates last = base;
  for (const TraceStep& step : trace.steps) {
    ApplyEvents(step.events, last);
  }
  std::set<std::string> changed;
  for (const auto& [path, state] : last) {
    auto before = base.find(path);
    if (before == base.end() || !before->second.SameAs(state)) {
      changed.insert(path);
    }
  }
  for (const LayoutLayer& layer : layout.layers) {
    for (const std::string& path : layer.paths) {
      if (last.contains(path)) {
        EXPECT_EQ(changed.erase(path), 1U) << trace.name << " " << path;
      } else {
        EXPECT_TRUE(base.contains(path)) << trace.name << " " << path;
      }
    }
  }
  EXPECT_TRUE(layout.mode != LayoutMode::kPartition || changed.empty())
      << trace.name << " " << *changed.begin();
}

TEST(Layout, FixturesAreNeverWorseThanOneLayerAStep) {
  SKIP_WITHOUT_FIXTURES();
  int partitions = 0;
  for (const TraceCase& test : ReadTraceCases()) {
    for (LayoutMode mode : {LayoutMode::kChain, LayoutMode::kPartition}) {
      LayoutOptions options;
      options.mode = mode;
      options.target = "app";
      LayoutResult result = Plan(test.trace, options);
      ASSERT_EQ(result.layout.has_value(),
                !test.expected["cases"].array()[0]["best"].is_null())
          << test.trace.name;
      if (!result.layout) {
        continue;
      }
      const Layout& layout = *result.layout;
      ExpectLegal(test.trace, layout);
      partitions += layout.mode == LayoutMode::kPartition ? 1 : 0;
      // Read back and followed, the lock gives the same layout.
      absl::StatusOr<LayerLock> lock =
          ParseLayerLock(PrintLayerLock(*layout.lock));
      ASSERT_TRUE(lock.ok()) << lock.status();
      Layout again = PlanGood(test.trace, options, &*lock);
      EXPECT_EQ(Layers(again), Layers(layout)) << test.trace.name;
      EXPECT_TRUE(*again.lock == *lock) << test.trace.name;
    }
  }
  EXPECT_GT(partitions, 50);
}

}  // namespace
}  // namespace lamina::ir
