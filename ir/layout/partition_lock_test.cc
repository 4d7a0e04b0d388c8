#include "ir/layout/partition_lock.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "ir/layout/change_vector.h"
#include "ir/layout/partition.h"
#include "ir/layout/test_fixtures.h"

namespace lamina::ir {
namespace {

constexpr int kLimit = 3;

Atom MakeAtom(const std::string& id, uint64_t bytes,
              const std::string& changed = "0", int version = 0) {
  return {.id = id,
          .role = id == "index"          ? AtomRole::kIndex
                  : id == "base-changes" ? AtomRole::kBaseChanges
                                         : AtomRole::kNormal,
          .bytes = bytes,
          .contents = absl::StrCat("v", version),
          .changed = changed};
}

// "a b | c (index)"
std::string Show(const PartitionDecision& decision,
                 const std::vector<Atom>& atoms) {
  std::vector<std::string> layers;
  for (const PartitionLayer& layer : decision.layers) {
    std::vector<std::string> ids;
    for (int atom : layer.atoms) {
      ids.push_back(atoms[atom].id);
    }
    layers.push_back(absl::StrJoin(ids, " "));
    if (layer.role != "normal") {
      absl::StrAppend(&layers.back(), " (", layer.role, ")");
    }
  }
  return absl::StrJoin(layers, " | ");
}

constexpr uint64_t kMega = 1 << 20;

// Two cold ones and a hot one, over 16 epochs.
std::vector<Atom> Atoms() {
  return {MakeAtom("cold", 100 * kMega, "1"), MakeAtom("cool", 80 * kMega, "1"),
          MakeAtom("hot", 10 * kMega, "ffff")};
}

LayoutOptions Options() {
  LayoutOptions options;
  options.target = "app";
  return options;
}

TEST(PartitionLock, WithoutALockTheLayoutIsFresh) {
  std::vector<Atom> atoms = Atoms();
  PartitionDecision decision =
      DecidePartition(atoms, 16, Options(), kLimit, nullptr);
  EXPECT_EQ(Show(decision, atoms), "cold | cool | hot");
  EXPECT_EQ(decision.note, "");
  EXPECT_EQ(decision.lock.epochs, 0);
  EXPECT_EQ(decision.lock.contents.at("hot"), "v0");
  EXPECT_EQ(decision.lock.layers.size(), 3U);
  EXPECT_EQ(decision.lock.layers[2].bytes, 10 * kMega);
  // What the lock says is what it was made from.
  EXPECT_TRUE(*ParseLayerLock(PrintLayerLock(decision.lock)) == decision.lock);
}

TEST(PartitionLock, ABuildThatChangesNothingIsNoRelease) {
  std::vector<Atom> atoms = Atoms();
  LayerLock lock = DecidePartition(atoms, 16, Options(), kLimit, nullptr).lock;
  lock.layers[0].diff_id = "sha256:aa";
  PartitionDecision again =
      DecidePartition(atoms, 16, Options(), kLimit, &lock);
  EXPECT_TRUE(again.lock == lock);
  EXPECT_EQ(again.note, "kept");
}

TEST(PartitionLock, KnownAtomsStayNewOnesGoWhereTheyCostLeast) {
  std::vector<Atom> atoms = Atoms();
  LayoutOptions options = Options();
  LayerLock lock = DecidePartition(atoms, 16, options, kLimit, nullptr).lock;
  // The pace of `cool` is now that of `hot`; it stays where it is.
  atoms[1].changed = "ffff";
  atoms[2].contents = "v1";
  atoms.push_back(MakeAtom("warm", kMega, "fff"));
  atoms.push_back(MakeAtom("huge", 900 * kMega, "0"));
  atoms.push_back(MakeAtom("index", 100));
  PartitionDecision decision = DecidePartition(atoms, 16, options, 6, &lock);
  EXPECT_EQ(Show(decision, atoms),
            "cold | cool | hot | huge (new) | warm (new) | index (index)");
  EXPECT_EQ(decision.lock.epochs, 1);
  EXPECT_EQ(decision.lock.changed,
            (std::map<std::string, std::string>{{"hot", "1"}}));
  // Without room everything new joins a layer.
  decision = DecidePartition(atoms, 16, options, kLimit, &lock);
  EXPECT_EQ(decision.layers.size(), 3U);
  EXPECT_EQ(decision.note, "kept");
}

TEST(PartitionLock, VanishedAtomsDropOut) {
  std::vector<Atom> atoms = Atoms();
  LayerLock lock = DecidePartition(atoms, 16, Options(), kLimit, nullptr).lock;
  atoms.erase(atoms.begin());
  PartitionDecision decision =
      DecidePartition(atoms, 16, Options(), kLimit, &lock);
  EXPECT_EQ(Show(decision, atoms), "cool | hot");
  EXPECT_FALSE(decision.lock.contents.contains("cold"));
  EXPECT_EQ(decision.lock.epochs, 1);
}

TEST(PartitionLock, ASmallerLimitAnotherWriterOrBaseForceANewLayout) {
  std::vector<Atom> atoms = Atoms();
  LayoutOptions options = Options();
  LayerLock lock = DecidePartition(atoms, 16, options, kLimit, nullptr).lock;
  PartitionDecision decision = DecidePartition(atoms, 16, options, 2, &lock);
  EXPECT_EQ(Show(decision, atoms), "cold cool | hot");
  EXPECT_EQ(decision.note, "switched: it has 3 layers, the limit is 2");
  // A lock whose layout is not what would be drawn now.
  lock.layers = {{.atoms = {"cold", "hot"}, .role = "normal"},
                 {.atoms = {"cool"}, .role = "normal"}};
  auto decide = [&](const LayoutOptions& with) {
    PartitionDecision made = DecidePartition(atoms, 16, with, kLimit, &lock);
    return absl::StrCat(Show(made, atoms), ", ", made.note);
  };
  EXPECT_EQ(decide(options), "cold hot | cool, kept");
  options.base_replaced = true;
  EXPECT_EQ(decide(options),
            "cold | cool | hot, switched: most of the base is new");
  options.relayout = Relayout::kNever;
  EXPECT_EQ(decide(options), "cold hot | cool, kept");
  options = Options();
  options.writer = R"({"level":9})";
  EXPECT_EQ(decide(options),
            "cold | cool | hot, switched: layers are written "
            "in another form");
  options = Options();
  options.relayout = Relayout::kNow;
  EXPECT_EQ(decide(options),
            "cold | cool | hot, switched: a new layout was asked for");
}

TEST(PartitionLock, ALayoutThatCostTooMuchIsLeft) {
  std::vector<Atom> atoms = Atoms();
  LayerLock lock = DecidePartition(atoms, 16, Options(), kLimit, nullptr).lock;
  lock.layers = {{.atoms = {"cold", "hot"}, .role = "normal"},
                 {.atoms = {"cool"}, .role = "normal"}};
  int releases = 0;
  while (releases < 10) {
    atoms[2].contents = absl::StrCat("v", ++releases);
    PartitionDecision decision =
        DecidePartition(atoms, 16, Options(), kLimit, &lock);
    lock = decision.lock;
    if (decision.switched) {
      EXPECT_EQ(Show(decision, atoms), "cold | cool | hot");
      EXPECT_TRUE(absl::StartsWith(decision.note,
                                   "switched: its layers cost updates 210MB"))
          << decision.note;
      break;
    }
    // Each release costs the 100 MB of `cold` more; a switch costs 110.
    EXPECT_EQ(lock.regret, static_cast<int64_t>(100 * kMega * releases));
  }
  EXPECT_EQ(releases, 2);
  EXPECT_EQ(lock.regret, 0);
}

TEST(PartitionLock, WhiteoutsStandFirstAndTheIndexLast) {
  std::vector<Atom> atoms = {MakeAtom("a", 50 * kMega, "1"),
                             MakeAtom("base-changes", 512, "ffff"),
                             MakeAtom("index", 100, "ffff")};
  EXPECT_EQ(Show(DecidePartition(atoms, 16, Options(), 5, nullptr), atoms),
            "base-changes (base-changes) | a | index (index)");
  EXPECT_EQ(Show(DecidePartition(atoms, 16, Options(), 2, nullptr), atoms),
            "a base-changes (base-changes) | index (index)");
  EXPECT_EQ(Show(DecidePartition(atoms, 16, Options(), 1, nullptr), atoms),
            "a base-changes index (base-changes)");
}

TEST(PartitionLock, OldEpochsAreForgotten) {
  std::vector<Atom> atoms = Atoms();
  LayerLock lock = DecidePartition(atoms, 16, Options(), kLimit, nullptr).lock;
  for (int week = 0; week < 60; ++week) {
    atoms[2].contents = absl::StrCat("w", week);
    atoms[1].contents = week == 59 ? "new" : atoms[1].contents;
    lock = DecidePartition(atoms, 16, Options(), kLimit, &lock).lock;
  }
  EXPECT_EQ(lock.epochs, kLockHistory);
  EXPECT_EQ(CountEvents(lock.changed.at("hot")), kLockHistory);
  EXPECT_EQ(lock.changed.at("cool"), "8000000000000");  // Bit 51.
  EXPECT_LE(lock.epochs - lock.shadow_since, 26);
}

}  // namespace
}  // namespace lamina::ir
