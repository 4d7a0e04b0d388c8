#include "ir/layout/chain.h"

#include <numeric>

#include "ir/layout/test_fixtures.h"

namespace lamina::ir {
namespace {

CostWeights Weights(absl::string_view name) {
  CostWeights weights;
  if (name == "latency") {
    weights.gamma = 4194304;
  } else if (name == "storage") {
    weights = {.alpha = 0, .beta = 0, .gamma = 0, .delta = 1000};
  } else if (name == "cold") {
    weights = {.alpha = 1000, .beta = 100, .gamma = 65536, .delta = 0};
  } else {
    EXPECT_EQ(name, "default");
  }
  return weights;
}

std::vector<int> Ends(const Trace& trace) {
  std::vector<int> ends(trace.steps.size());
  std::iota(ends.begin(), ends.end(), 1);
  return ends;
}

ChainCost Cost(const Trace& trace, const CostWeights& weights,
               const std::vector<std::string>& published = {}) {
  absl::StatusOr<PathHistories> histories = PathHistories::Collect(trace);
  EXPECT_TRUE(histories.ok()) << histories.status();
  return ChainCost(*histories, trace.epochs, Ends(trace), weights, published);
}

ChainRules Rules(const Trace& trace) {
  ChainRules rules = {std::vector<bool>(trace.steps.size() + 1),
                      std::vector<bool>(trace.steps.size() + 1)};
  for (const CutRule& cut : trace.cuts) {
    (cut.forced ? rules.forced : rules.forbidden)[cut.step] = true;
  }
  return rules;
}

Json Ints(const std::vector<int>& values) {
  Json list = Json::Array();
  for (int value : values) {
    list.Append(int64_t{value});
  }
  return list;
}

Json Row(const ChainProgramme& programme) {
  Json row = Json::Array();
  for (int layers = 0; layers <= programme.max_layers(); ++layers) {
    std::optional<int64_t> cost = programme.Cost(layers);
    row.Append(cost ? Json(*cost) : Json());
  }
  return row;
}

// The best plan by trying every set of cuts; ties as 5.5 has them.
std::optional<ChainPlan> TryAll(const ChainCost& cost, const ChainRules& rules,
                                int limit) {
  int n = cost.positions();
  std::optional<ChainPlan> best;
  for (unsigned set = 0; set < 1U << std::max(n - 1, 0); ++set) {
    std::vector<int> cuts;
    bool legal = true;
    for (int t = 1; t < n; ++t) {
      bool cut = (set >> (t - 1) & 1) != 0;
      legal = legal && !(cut ? rules.forbidden : rules.forced)[t];
      if (cut) {
        cuts.push_back(t);
      }
    }
    ChainPlan plan = EvaluateCuts(cost, cuts);
    auto rank = [](const ChainPlan& p) {
      // The start of the last segment first; 0 is the smallest.
      std::vector<int> starts(p.cuts.rbegin(), p.cuts.rend());
      starts.push_back(0);
      return std::tuple(p.cost, p.layers, starts);
    };
    if (legal && plan.layers <= limit && (!best || rank(plan) < rank(*best))) {
      best = plan;
    }
  }
  return best;
}

void ExpectCase(const Trace& trace, const Json& expected) {
  ChainCost cost = Cost(trace, Weights(expected["params"].string()));
  ChainRules rules = Rules(trace);
  int n = static_cast<int>(trace.steps.size());
  int limit = trace.budget.value_or(n);
  EXPECT_EQ(limit, expected["budget"].integer());
  ChainProgramme programme(cost, rules, n);
  EXPECT_EQ(Row(programme), expected["row"]) << trace.name;
  std::optional<ChainPlan> best = programme.Best(limit);
  ASSERT_EQ(best.has_value(), !expected["best"].is_null()) << trace.name;
  if (best) {
    EXPECT_EQ(best->cost, expected["best"]["cost"].integer()) << trace.name;
    EXPECT_EQ(best->layers, expected["best"]["layers"].integer());
    EXPECT_EQ(Ints(best->cuts), expected["best"]["cuts"]) << trace.name;
    EXPECT_EQ(EvaluateCuts(cost, best->cuts).cost, best->cost);
    // They were counted by trying all sets, where there are not too many.
    EXPECT_EQ(n <= 9 ? programme.Ties(best->layers) : 0,
              expected["ties"].integer())
        << trace.name;
  }
  if (n <= 9) {
    std::optional<ChainPlan> tried = TryAll(cost, rules, limit);
    ASSERT_EQ(tried.has_value(), best.has_value());
    EXPECT_EQ(tried ? tried->cuts : std::vector<int>(),
              best ? best->cuts : std::vector<int>())
        << trace.name;
  }
  std::optional<RelaxedPlan> relaxed = RelaxForcedCuts(cost, rules, limit);
  const Json& expected_relaxed = expected["relaxed"];
  if (!expected_relaxed.is_null()) {
    ASSERT_TRUE(relaxed.has_value()) << trace.name;
    EXPECT_EQ(relaxed->plan.cost, expected_relaxed["cost"].integer());
    EXPECT_EQ(relaxed->plan.layers, expected_relaxed["layers"].integer());
    EXPECT_EQ(Ints(relaxed->plan.cuts), expected_relaxed["cuts"]) << trace.name;
    EXPECT_EQ(Ints(relaxed->dropped), expected_relaxed["dropped"]);
  } else if (best) {
    // Nothing needs to be dropped, so it is the same plan.
    ASSERT_TRUE(relaxed.has_value());
    EXPECT_EQ(relaxed->plan.cost, best->cost);
    EXPECT_TRUE(relaxed->dropped.empty());
  }
}

TEST(Chain, AgreesWithTheFixtures) {
  SKIP_WITHOUT_FIXTURES();
  int count = 0;
  for (const TraceCase& test : ReadTraceCases()) {
    for (const Json& expected : test.expected["cases"].array()) {
      ExpectCase(test.trace, expected);
      ++count;
    }
  }
  EXPECT_EQ(count, 416);
}

TEST(Chain, TheWorkedExampleForEachNumberOfLayers) {
  SKIP_WITHOUT_FIXTURES();
  TraceCase test = ReadTraceCases().back();
  ChainCost cost = Cost(test.trace, {});
  ChainRules rules = Rules(test.trace);
  ChainProgramme programme(cost, rules, 6);
  for (const Json& expected : test.expected["best_by_layers"].array()) {
    ChainPlan plan =
        programme.Plan(static_cast<int>(expected["layers"].integer()));
    EXPECT_EQ(plan.cost, expected["cost"].integer());
    EXPECT_EQ(Ints(plan.cuts), expected["cuts"]);
  }
  EXPECT_EQ(programme.Knee(), 2);
}

// Sizes in KiB, one file a step.
Trace Files(const std::vector<uint64_t>& sizes) {
  std::vector<std::vector<PathEvent>> steps;
  for (uint64_t size : sizes) {
    std::string name = absl::StrCat("f", steps.size());
    steps.push_back({{name, FileState(name, size << 10)}});
  }
  return MakeTrace(steps);
}

TEST(Chain, ChangesDecideWhereLayersEnd) {
  Trace trace = Files({10000, 10000, 10000, 1});
  trace.epochs = {{9, {4}}, {1, {2, 3, 4}}};
  ChainCost cost = Cost(trace, {});
  ChainRules rules = Rules(trace);
  ChainProgramme programme(cost, rules, 4);
  EXPECT_EQ(programme.Best(4)->cuts, (std::vector<int>{1, 3}));
  EXPECT_EQ(programme.Best(2)->cuts, (std::vector<int>{3}));
  EXPECT_EQ(programme.Best(1)->cuts, std::vector<int>());
  EXPECT_FALSE(programme.Best(0).has_value());
  EXPECT_EQ(cost.ToBytes(cost.cost(0, 1)),
            65536 + (10000 * 1024 + 512) * 3 / 10);
}

TEST(Chain, ForcedAndForbiddenCutsHold) {
  Trace trace = Files({10000, 10000, 10000, 1});
  trace.epochs = {{9, {4}}, {1, {2, 3, 4}}};
  trace.cuts = {{2, true, ""}, {3, false, ""}};
  ChainCost cost = Cost(trace, {});
  ChainRules rules = Rules(trace);
  ChainProgramme programme(cost, rules, 4);
  EXPECT_EQ(programme.Best(4)->cuts, (std::vector<int>{1, 2}));
  EXPECT_FALSE(programme.Best(1).has_value());
  EXPECT_FALSE(programme.Cost(4).has_value());
  std::optional<RelaxedPlan> relaxed = RelaxForcedCuts(cost, rules, 1);
  ASSERT_TRUE(relaxed.has_value());
  EXPECT_EQ(relaxed->dropped, std::vector<int>{2});
  EXPECT_FALSE(RelaxForcedCuts(cost, rules, 0).has_value());
  EXPECT_FALSE(RelaxForcedCuts(cost, rules, -3).has_value());
}

TEST(Chain, AnEmptySegmentIsFreeAndCountsForNoLayer) {
  Trace trace = MakeTrace({{{"a", FileState("a", 1)}},
                           {{"b", FileState("b", 1)}},
                           {{"b", std::nullopt}}});
  const CostWeights nothing = {.alpha = 0, .beta = 0, .gamma = 0, .delta = 0};
  for (const CostWeights& weights : {CostWeights(), nothing}) {
    ChainCost cost = Cost(trace, weights);
    ChainRules rules = Rules(trace);
    ChainProgramme programme(cost, rules, 3);
    EXPECT_EQ(programme.Plan(1).cuts, std::vector<int>());
    // A layer that costs nothing is a layer all the same.
    EXPECT_FALSE(programme.Cost(0).has_value());
    EXPECT_EQ(programme.Plan(3).cuts, (std::vector<int>{1, 2}));
  }
  Trace none = MakeTrace({});
  ChainCost cost = Cost(none, {});
  ChainRules rules = Rules(none);
  EXPECT_EQ(ChainProgramme(cost, rules, 0).Best(0)->layers, 0);
}

TEST(Chain, PublishedSegmentsAreCheaper) {
  Trace trace = Files({400, 400});
  trace.epochs = {{1, {2}}};
  absl::StatusOr<PathHistories> histories = PathHistories::Collect(trace);
  SegmentTable<SegmentKey> keys = SegmentKeys(*histories);
  CostWeights weights = {.gamma = 700 << 10, .rho = 1000};
  ChainRules rules = Rules(trace);
  ChainCost fresh = Cost(trace, weights);
  EXPECT_EQ(ChainProgramme(fresh, rules, 2).Best(2)->layers, 1);
  ChainCost known = Cost(trace, weights, {SegmentKeyText(keys(0, 1))});
  EXPECT_EQ(ChainProgramme(known, rules, 2).Best(2)->layers, 2);
}

TEST(Chain, HugeWeightsAreHalvedUntilCostsFit) {
  Trace trace = Files({uint64_t{1} << 30, uint64_t{1} << 30, 1 << 10});
  trace.epochs = {{int64_t{1} << 30, {3}}};
  ChainCost cost = Cost(trace, {});
  EXPECT_LT(cost.total_weight(), 1 << 20);
  ChainRules rules = Rules(trace);
  ChainProgramme programme(cost, rules, 3);
  EXPECT_EQ(programme.Best(3)->cuts, std::vector<int>{2});
  EXPECT_GT(programme.Best(1)->cost, programme.Best(2)->cost);
}

TEST(Chain, ManyStepsAreJoinedWhereItCostsLeast) {
  Trace trace = Files(std::vector<uint64_t>(50, 1000));
  trace.epochs = {{1, {20, 21}}, {1, {30}}};
  trace.cuts = {{7, true, ""}, {8, true, ""}, {41, false, ""}};
  absl::StatusOr<std::vector<int>> ends = ChoosePositions(trace, {}, 8);
  ASSERT_TRUE(ends.ok());
  ASSERT_EQ(ends->size(), 8U);
  EXPECT_EQ(ends->back(), 50);
  for (int end : {7, 8, 19, 21, 29, 30}) {
    EXPECT_EQ(std::count(ends->begin(), ends->end(), end), 1) << end;
  }
  EXPECT_EQ(std::count(ends->begin(), ends->end(), 41), 0);
  EXPECT_EQ(ChoosePositions(trace, {}, 50)->size(), 50U);
  // Forced cuts stay, whatever the limit is.
  EXPECT_EQ(*ChoosePositions(trace, {}, 1), (std::vector<int>{7, 8, 50}));
}

}  // namespace
}  // namespace lamina::ir
