// One layer for several steps: the net difference of two trees.
#include "ir/layout/net_diff.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace lamina::ir {
namespace {

// "d a; f a/b=1; l s->a; h n->a/b; w gone" in the order of a layer; `=` gives
// the bytes.
StepDiff Diff(absl::string_view text) {
  StepDiff diff;
  for (absl::string_view item : absl::StrSplit(text, "; ", absl::SkipEmpty())) {
    Entry entry = {.type = static_cast<EntryType>(item[0])};
    std::pair<std::string, std::string> bytes =
        absl::StrSplit(item.substr(2), absl::MaxSplits('=', 1));
    std::pair<std::string, std::string> names =
        absl::StrSplit(bytes.first, absl::MaxSplits("->", 1));
    entry.path = names.first;
    entry.link = names.second;
    if (entry.type == EntryType::kFile) {
      entry.digest = Sha256(bytes.second);
      entry.size = bytes.second.size();
    }
    diff.entries.push_back(entry);
  }
  return diff;
}

std::string Show(const StepDiff& diff) {
  return absl::StrJoin(
      diff.entries, "; ", [](std::string* out, const Entry& e) {
        absl::StrAppend(out, std::string(1, static_cast<char>(e.type)), " ",
                        e.path, e.link.empty() ? "" : "->", e.link);
      });
}

std::string Net(const std::vector<std::string>& steps, size_t from) {
  Tree before;
  Tree after;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (i < from) {
      before.Apply(Diff(steps[i]));
    }
    after.Apply(Diff(steps[i]));
  }
  return Show(NetDiff(before, after));
}

TEST(NetDiff, WhatCameAndWentIsNotThere) {
  EXPECT_EQ(Net({"f a=1", "d t; f t/x=1", "w t"}, 1), "");
  EXPECT_EQ(Net({"f a=1", "f a=2", "f a=1"}, 1), "");
  EXPECT_EQ(Net({"f a=1", "f b=1", "w b; f c=2"}, 1), "f c");
}

TEST(NetDiff, DeletionsNameTheHighestPathOnly) {
  EXPECT_EQ(Net({"d a; d a/b; f a/b/c=1; f a/x=1", "w a/b"}, 1), "d a; w a/b");
  EXPECT_EQ(Net({"d a; f a/b=1", "w a"}, 1), "w a");
  EXPECT_EQ(Net({"d a; f a/b=1", "f a=1"}, 1), "f a");
}

TEST(NetDiff, AFolderMadeAnewDoesNotMergeWithTheOldOne) {
  EXPECT_EQ(Net({"d a; f a/old=1", "f a=x", "d a; f a/new=1"}, 1),
            "d a; w a/old; f a/new");
}

TEST(NetDiff, AllNamesOfAnInodeAreInOneLayer) {
  // One file becomes two with equal bytes.
  EXPECT_EQ(Net({"f a=1; h b->a", "f a=1"}, 1), "f a; f b");
  EXPECT_EQ(Net({"f a=1; h b->a; h c->a", "f a=2; h c->a"}, 1), "f a; h c->a");
  // The bytes keep a path when the one that had them goes.
  EXPECT_EQ(Net({"", "f a=1; h b->a; h c->a", "w a"}, 1), "f b; h c->b");
  // Two files with equal bytes become one.
  EXPECT_EQ(Net({"f a=1; f b=1", "f a=1; h b->a"}, 1), "f a; h b->a");
}

TEST(NetDiff, FoldersAboveAnEntryAreRepeated) {
  EXPECT_EQ(Net({"d a; d a/b; d c", "d a; d a/b; f a/b/x=1"}, 1),
            "d a; d a/b; f a/b/x");
}

TEST(SplitDiff, EachPartHasItsFolders) {
  StepDiff diff = Diff("d a; w a/gone; f a/x=1; d b; f b/y=2; h b/z->a/x");
  std::vector<StepDiff> parts = SplitDiff(
      diff, 2, [](const std::string& path) { return path[0] == 'b' ? 1 : 0; },
      {});
  EXPECT_EQ(Show(parts[0]), "d a; w a/gone; f a/x; d b; h b/z->a/x");
  EXPECT_EQ(Show(parts[1]), "d b; f b/y");
}

// --- random histories --------------------------------------------------------

class History {
 public:
  explicit History(uint32_t seed) : random_(seed) {}

  // One random step on `tree`, as a layer would say it.
  StepDiff Step(const Tree& tree) {
    Tree now = tree;
    for (int n = Pick(4); n >= 0; --n) {
      now.Apply(Operation(now));
    }
    return NetDiff(tree, Renumbered(now, tree.layer_count()));
  }

 private:
  int Pick(int n) { return static_cast<int>(random_() % n); }

  std::string Path() {
    static const char* kNames[] = {"a", "b", "c"};
    std::string path = kNames[Pick(3)];
    for (int depth = Pick(3); depth > 0; --depth) {
      absl::StrAppend(&path, "/", kNames[Pick(3)]);
    }
    return path;
  }

  // `tree` as if all that is newer than `layers` were one layer.
  static Tree Renumbered(const Tree& tree, uint32_t layers) {
    StepDiff diff;
    for (const auto& [path, item] : tree.items()) {
      Entry entry = item.entry;
      if (entry.type == EntryType::kFile && !entry.link.empty()) {
        entry.type = EntryType::kHardLink;
      }
      diff.entries.push_back(entry);
    }
    Tree copy;
    for (uint32_t i = 0; i < layers; ++i) {
      copy.Apply({});
    }
    copy.Apply(diff);
    return copy;
  }

  StepDiff Operation(const Tree& tree) {
    std::string path = Path();
    const Tree::Item* at = tree.Find(path);
    int what = Pick(5);
    if (what == 0 && at != nullptr) {
      return {{{.path = path, .type = EntryType::kWhiteout}}};
    }
    StepDiff diff;
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      diff.entries.push_back({.path = path.substr(0, slash),
                              .type = EntryType::kDirectory,
                              .mode = 0755});
    }
    Entry entry = {.path = path, .type = EntryType::kDirectory, .mode = 0755};
    if (what == 1 && !tree.items().empty()) {
      for (const auto& [other, item] : tree.items()) {
        if (item.entry.type == EntryType::kFile && Pick(2) == 0 &&
            path.find(absl::StrCat(other, "/")) != 0 && other != path &&
            other.find(absl::StrCat(path, "/")) != 0) {
          entry.type = EntryType::kHardLink;
          entry.link = other;
        }
      }
    } else if (what > 2) {
      std::string bytes = absl::StrCat(Pick(3));
      entry.type = EntryType::kFile;
      entry.mode = Pick(4) == 0 ? 0600 : 0644;
      entry.digest = Sha256(bytes);
      entry.size = 1;
    }
    diff.entries.push_back(entry);
    return diff;
  }

  std::mt19937 random_;
};

// What a tree is, without where its parts came from.
std::string Describe(const Tree& tree) {
  std::string out;
  for (const auto& [path, item] : tree.items()) {
    const Entry& entry = item.entry;
    std::string first = entry.link.empty() ? path : entry.link;
    for (const auto& [other, other_item] : tree.items()) {
      if (other_item.entry.type == EntryType::kFile &&
          entry.type == EntryType::kFile &&
          (other_item.entry.link.empty() ? other : other_item.entry.link) ==
              first) {
        absl::StrAppend(&out, "=", other);
      }
    }
    absl::StrAppend(&out, Show(StepDiff{{{.path = path, .type = entry.type}}}),
                    " ", entry.mode, " ", entry.digest.hex(), "\n");
  }
  return out;
}

TEST(NetDiff, RandomHistoriesGiveTheSameTrees) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    History history(seed);
    std::vector<Tree> trees = {Tree()};
    for (int i = 0; i < 5; ++i) {
      StepDiff step = history.Step(trees.back());
      Tree next = trees.back();
      next.Apply(step);
      trees.push_back(next);
    }
    for (size_t i = 0; i < trees.size(); ++i) {
      for (size_t j = i; j < trees.size(); ++j) {
        Tree merged = trees[i];
        StepDiff net = NetDiff(trees[i], trees[j]);
        merged.Apply(net);
        ASSERT_EQ(Describe(merged), Describe(trees[j]))
            << "seed " << seed << " " << i << " to " << j << ": " << Show(net);
        Tree split = trees[i];
        for (const StepDiff& part : SplitDiff(
                 net, 3,
                 [](const std::string& path) { return path.back() % 3; },
                 TypeChanges(trees[i], net))) {
          split.Apply(part);
        }
        ASSERT_EQ(Describe(split), Describe(trees[j]))
            << "split, seed " << seed << " " << i << " to " << j;
      }
    }
  }
}

}  // namespace
}  // namespace lamina::ir
