#include "ir/layout/partition.h"

#include <algorithm>
#include <numeric>

#include "ir/layout/change_vector.h"
#include "ir/layout/exp_negative.h"
#include "ir/layout/test_fixtures.h"

namespace lamina::ir {
namespace {

TEST(ExpNegative, IsTheExponential) {
  EXPECT_EQ(ExpNegative(0), uint64_t{1} << 32);
  EXPECT_EQ(ExpNegative(uint64_t{1} << 32), 1580030169U);  // 1 / e
  EXPECT_EQ(ExpNegative(uint64_t{1} << 37), 0U);
  EXPECT_EQ(ExpNegative(UINT64_MAX), 0U);
}

TEST(ExpNegative, AgreesWithTheFixture) {
  SKIP_WITHOUT_FIXTURES();
  absl::StatusOr<Json> fixture = ParseJson(ReadFixture("exp_negative.json"));
  ASSERT_TRUE(fixture.ok());
  EXPECT_EQ((*fixture)["samples"].array().size(), 11U);
  for (const Json& sample : (*fixture)["samples"].array()) {
    EXPECT_EQ(ExpNegative(sample.array()[0].integer()),
              static_cast<uint64_t>(sample.array()[1].integer()));
  }
}

TEST(ChangeVector, IsAHexNumber) {
  EXPECT_EQ(CountEvents("2000401"), 3);
  EXPECT_EQ(CountEvents("f0a"), 6);
  EXPECT_EQ(CanonicalVector("0010"), "10");
  EXPECT_EQ(CanonicalVector("000"), "0");
  EXPECT_EQ(CanonicalVector(""), "0");
  EXPECT_EQ(VectorOf({true, false, false, false, true, false}), "11");
  EXPECT_EQ(VectorOf({}), "0");
  EXPECT_EQ(VectorOf(EpochsOf("2000401")), "2000401");
  EXPECT_EQ(JoinVectors("101", "2"), "103");
  EXPECT_EQ(JoinVectors("", "0"), "0");
  EXPECT_TRUE(IsVector("0af"));
  EXPECT_FALSE(IsVector("A"));
  EXPECT_FALSE(IsVector(""));
}

TEST(Partition, OnlyTwoEventsMakeAClass) {
  std::vector<PartitionClass> classes = FindClasses(
      {{1, "3"}, {2, "1"}, {3, "1"}, {4, "03"}, {5, "0"}, {6, "0"}});
  ASSERT_EQ(classes.size(), 5U);
  EXPECT_EQ(classes[0].items, (std::vector<int>{0, 3}));
  EXPECT_EQ(classes[0].bytes, 5U);
  EXPECT_EQ(classes[0].events, 2);
}

TEST(Partition, HotBytesStandApartFromColdOnes) {
  HeatCost cost(26, {});
  // A large cold atom, a small hot one, and two that change together.
  ItemPartition plan = PlanPartition({{100 << 20, "1"},
                                      {10 << 20, "3ffffff"},
                                      {20 << 20, "2020202"},
                                      {30 << 20, "2020202"}},
                                     cost, 8);
  EXPECT_EQ(plan.layers, (std::vector<std::vector<int>>{{0}, {2, 3}, {1}}));
  EXPECT_EQ(PlanPartition({}, cost, 3).layers.size(), 0U);
  EXPECT_EQ(PlanPartition({{5, "0"}, {7, "1"}}, cost, 1).layers.size(), 1U);
}

TEST(Partition, VeryManyClassesAreJoinedFirst) {
  std::vector<PartitionItem> items;
  for (int item = 0; item < 2500; ++item) {
    items.push_back({1000U + item, item % 3 == 0 ? "1" : "ff"});
    items.back().changed += std::string(item % 5, '1');
  }
  ItemPartition plan = PlanPartition(items, HeatCost(60, {}), 6);
  std::vector<int> all;
  for (const std::vector<int>& layer : plan.layers) {
    all.insert(all.end(), layer.begin(), layer.end());
  }
  std::sort(all.begin(), all.end());
  std::vector<int> expected(items.size());
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all, expected);
}

// Costs of all partitions of the classes into at most `limit` layers.
int64_t TryAll(const std::vector<PartitionClass>& classes, const HeatCost& cost,
               int limit) {
  size_t n = classes.size();
  std::vector<int> home(n, 0);
  int64_t best = INT64_MAX;
  while (true) {
    std::vector<uint64_t> bytes(limit), rates(limit);
    int64_t sum = 0;
    for (size_t one = 0; one < n; ++one) {
      bytes[home[one]] += classes[one].bytes;
      rates[home[one]] += cost.Rate(classes[one].events);
    }
    for (int layer = 0; layer < limit; ++layer) {
      sum += rates[layer] == 0 ? 0 : cost.Layer(bytes[layer], rates[layer]);
    }
    best = std::min(best, sum);
    size_t at = 0;
    while (at < n && ++home[at] == limit) {
      home[at++] = 0;
    }
    if (at == n) {
      return best;
    }
  }
}

Json Lists(const std::vector<std::vector<int>>& lists) {
  Json out = Json::Array();
  for (const std::vector<int>& list : lists) {
    Json inner = Json::Array();
    for (int value : list) {
      inner.Append(int64_t{value});
    }
    out.Append(std::move(inner));
  }
  return out;
}

std::vector<std::vector<int>> Items(
    const std::vector<PartitionClass>& classes) {
  std::vector<std::vector<int>> lists;
  for (const PartitionClass& one : classes) {
    lists.push_back(one.items);
  }
  return lists;
}

void ExpectInstance(const Json& instance) {
  std::vector<PartitionItem> items;
  for (const Json& atom : instance["atoms"].array()) {
    items.push_back({static_cast<uint64_t>(atom["size"].integer()),
                     atom["changed"].string()});
    EXPECT_EQ(CountEvents(items.back().changed), atom["events"].integer());
  }
  const std::string& name = instance["name"].string();
  HeatCost cost(static_cast<int>(instance["epochs"].integer()), {});
  int limit = static_cast<int>(instance["limit"].integer());
  std::vector<PartitionClass> classes = FindClasses(items);
  EXPECT_EQ(Lists(Items(classes)), instance["classes"]) << name;
  SortByHeat(classes);
  EXPECT_EQ(Lists(Items(classes)), instance["order"]) << name;
  std::vector<int64_t> row;
  PartitionPlan ratio = PlanRuns(classes, cost, limit, &row);
  Json printed = Json::Array();
  for (int64_t value : row) {
    printed.Append(value);
  }
  EXPECT_EQ(ratio.cost, instance["ratio"]["cost"].integer()) << name;
  EXPECT_EQ(printed, instance["ratio"]["row"]) << name;
  EXPECT_EQ(Lists(ItemsOf(classes, ratio).layers), instance["ratio"]["layers"])
      << name;
  PartitionPlan moved = MoveClasses(classes, cost, limit, ratio);
  EXPECT_EQ(moved.cost, instance["moved"]["cost"].integer()) << name;
  EXPECT_EQ(Lists(ItemsOf(classes, moved).layers), instance["moved"]["layers"])
      << name;
  EXPECT_EQ(TryAll(classes, cost, limit), instance["optimum"].integer())
      << name;
}

TEST(Partition, AgreesWithTheFixtures) {
  SKIP_WITHOUT_FIXTURES();
  std::vector<Json> instances = ReadJsonLines("partition.jsonl");
  EXPECT_EQ(instances.size(), 60U);
  for (const Json& instance : instances) {
    ExpectInstance(instance);
  }
}

}  // namespace
}  // namespace lamina::ir
