// Partition mode: atoms of the final tree to layers, so that what changes at
// the same pace shares one (optimiser.md 6.2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/layout/layout.h"

namespace lamina::ir {

struct PartitionItem {  // An atom, as far as the planner cares.
  uint64_t bytes = 0;   // At most 2^40 in sum.
  std::string changed;  // Change vector (change_vector.h).
};

// Atoms that always changed together, at least twice; others stand alone.
struct PartitionClass {
  std::vector<int> items;  // Ascending.
  uint64_t bytes = 0;
  int events = 0;
};
// By the smallest item.
std::vector<PartitionClass> FindClasses(
    const std::vector<PartitionItem>& items);
// By rate a byte, ascending; larger first, then the smaller first item.
void SortByHeat(std::vector<PartitionClass>& classes);

// Cost in thousandths of a byte under independent rates.
class HeatCost {
 public:
  HeatCost(int epochs, const CostWeights& weights)
      : epochs_(epochs), weights_(weights) {}

  uint64_t Rate(int events) const;  // Unit 2^-32 an epoch.
  // How probable a change is, in 2^-20.
  static uint64_t Probability(uint64_t rates);
  // A layer of so many bytes with this sum of rates; 0 if it holds nothing.
  int64_t Layer(uint64_t bytes, uint64_t rates) const;

 private:
  int epochs_;
  CostWeights weights_;
};

struct PartitionPlan {
  int64_t cost = 0;
  std::vector<std::vector<int>> layers;  // Classes of each.
};

// The best runs of neighbours, at most `limit` (from 1). `row`, if any, gets
// the cost of exactly 1.. runs.
PartitionPlan PlanRuns(const std::vector<PartitionClass>& classes,
                       const HeatCost& cost, int limit,
                       std::vector<int64_t>* row);
// Lets each class move once to the layer that gains most, largest class first;
// up to `limit` layers.
PartitionPlan MoveClasses(const std::vector<PartitionClass>& classes,
                          const HeatCost& cost, int limit,
                          const PartitionPlan& plan);

// All of it: classes, order, runs, moves. Layers of items, each ascending.
struct ItemPartition {
  int64_t cost = 0;
  std::vector<std::vector<int>> layers;
};
ItemPartition PlanPartition(const std::vector<PartitionItem>& items,
                            const HeatCost& cost, int limit);
ItemPartition ItemsOf(const std::vector<PartitionClass>& classes,
                      const PartitionPlan& plan);

}  // namespace lamina::ir
