// Step diffs and the trees they fold into.
#include "ir/layout/tree.h"

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "ir/layout/step_diff.h"

namespace lamina::ir {
namespace {

// "d a; f a/b; l s->a; h n->a/b; w gone; o folder" in the order given.
StepDiff Diff(absl::string_view text) {
  StepDiff diff;
  for (absl::string_view item : absl::StrSplit(text, "; ", absl::SkipEmpty())) {
    Entry entry = {.type = static_cast<EntryType>(item[0])};
    std::pair<std::string, std::string> names =
        absl::StrSplit(item.substr(2), absl::MaxSplits("->", 1));
    entry.path = names.first;
    entry.link = names.second;
    diff.entries.push_back(entry);
  }
  return diff;
}

std::string Show(const Entry& entry) {
  return absl::StrCat(std::string(1, static_cast<char>(entry.type)), " ",
                      entry.path, entry.link.empty() ? "" : "->", entry.link);
}

Tree Fold(const std::vector<std::string>& layers) {
  Tree tree;
  for (const std::string& layer : layers) {
    tree.Apply(Diff(layer));
  }
  return tree;
}

std::string Show(const Tree& tree) {
  std::vector<std::string> lines;
  for (const auto& [path, item] : tree.items()) {
    EXPECT_EQ(path, item.entry.path);
    lines.push_back(absl::StrCat(Show(item.entry), " ", item.layer));
  }
  return absl::StrJoin(lines, "; ");
}

std::string Paths(const std::vector<const Tree::Item*>& items) {
  return absl::StrJoin(items, " ", [](std::string* out, const auto* item) {
    absl::StrAppend(out, item->entry.path);
  });
}

TEST(StepDiff, EntriesStandInTheOrderOfTheLayerTar) {
  StepDiff sorted = Diff(
      "d ; o ; w z; d a; o a; w a/x; w a/y; f a/b; d a/c; w a/c/q; f a/c/d; "
      "f a/c.d; d a-b; f a-b/c; w b/z; f b; f \x7F; f \xC3\xA4");
  StepDiff shuffled = sorted;
  std::reverse(shuffled.entries.begin(), shuffled.entries.end());
  SortEntries(shuffled);
  // `b/z` stands below `b`, whatever `b` is.
  std::swap(sorted.entries[14], sorted.entries[15]);
  ASSERT_EQ(shuffled.entries.size(), sorted.entries.size());
  for (size_t i = 0; i < sorted.entries.size(); ++i) {
    EXPECT_EQ(Show(shuffled.entries[i]), Show(sorted.entries[i])) << i;
  }
  for (const Entry& entry : sorted.entries) {
    EXPECT_FALSE(EntryBefore(entry, entry));
  }
}

TEST(StepDiff, AWhiteoutStandsBeforeTheEntryOfItsPath) {
  StepDiff diff = Diff("f a/b; d a; w a");
  SortEntries(diff);
  EXPECT_EQ(Show(diff.entries[0]), "w a");
  EXPECT_EQ(Show(diff.entries[1]), "d a");
  EXPECT_EQ(Show(diff.entries[2]), "f a/b");
}

TEST(StepDiff, EveryFieldIsReadBack) {
  StepDiff diff;
  diff.entries = {
      {.path = "", .type = EntryType::kDirectory, .mode = 0755},
      {.path = "a\tb\nc\\d=e\x7F\xFF",
       .mode = 07777,
       .uid = 4294967295,
       .gid = 1,
       .mtime = INT64_MIN,
       .size = UINT64_MAX,
       .xattrs = {{"user.a=b", std::string("\0\n=\\", 4)}, {"user.z", ""}},
       .digest = Sha256("x")},
      {.path = "c",
       .type = EntryType::kCharDevice,
       .mtime = INT64_MAX,
       .major = 4294967295,
       .minor = 3},
      {.path = "l", .type = EntryType::kSymlink, .mtime = -1, .link = "../a b"},
      {.path = "w", .type = EntryType::kWhiteout}};
  std::string text = PrintStepDiff(diff);
  absl::StatusOr<StepDiff> read = ParseStepDiff(text);
  ASSERT_TRUE(read.ok()) << read.status() << text;
  EXPECT_EQ(read->entries, diff.entries);
  EXPECT_EQ(PrintStepDiff(*read), text);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
}

TEST(StepDiff, DamagedTextIsRefused) {
  const std::string good = "f\ta\t644\t0\t0\t1\t2\t\t0\t0\t-\tuser.x=1\n";
  ASSERT_TRUE(ParseStepDiff(good).ok());
  ASSERT_TRUE(ParseStepDiff("").ok());
  for (size_t size = 1; size < good.size(); ++size) {
    EXPECT_FALSE(ParseStepDiff(good.substr(0, size)).ok()) << size;
  }
  for (const char* bad :
       {"\n", "x\ta\t644\t0\t0\t1\t2\t\t0\t0\t-\n",
        "f\ta\t648\t0\t0\t1\t2\t\t0\t0\t-\n", "f\ta\t\t0\t0\t1\t2\t\t0\t0\t-\n",
        "f\ta\t644\t-1\t0\t1\t2\t\t0\t0\t-\n",
        "f\ta\t644\t4294967296\t0\t1\t2\t\t0\t0\t-\n",
        "f\ta\t644\t0\t0\t9223372036854775808\t2\t\t0\t0\t-\n",
        "f\ta\t644\t0\t0\t1\t18446744073709551616\t\t0\t0\t-\n",
        "f\ta\t644\t0\t0\t1\t2\t\t0\t0\tabc\n",
        "f\ta\\4\t644\t0\t0\t1\t2\t\t0\t0\t-\n",
        "f\ta\t644\t0\t0\t1\t2\t\t0\t0\t-\tuser.x\n"}) {
    EXPECT_EQ(
        ParseStepDiff(bad).status().message() == "step diff: line 1 is damaged",
        true)
        << bad;
  }
}

TEST(Tree, LayersFoldByTheRulesOfTheSpecification) {
  struct Case {
    std::vector<std::string> layers;
    const char* tree;
  };
  const Case kCases[] = {
      // A new entry replaces the old one.
      {{"f a", "f a"}, "f a 1"},
      {{"f a", "l a->b"}, "l a->b 1"},
      // A folder over a folder keeps the children.
      {{"d a; f a/b", "d a; f a/c"}, "d a 1; f a/b 0; f a/c 1"},
      // Anything else over a folder removes them, and only them.
      {{"d a; f a/b; f a-b", "f a"}, "f a 1; f a-b 0"},
      {{"d a; f a/b", "f a", "d a"}, "d a 2"},
      {{"l a->b", "d a"}, "d a 1"},
      // Whiteouts take everything below, and nothing beside.
      {{"d a; d a/b; f a/b/c; f a-; f a.b", "w a"}, "f a- 0; f a.b 0"},
      {{"f a", "w b"}, "f a 0"},
      {{"f a", "w a", "f a"}, "f a 2"},
      // They act on the layers below only, wherever they stand.
      {{"d a; f a/b", "w a; d a; f a/c"}, "d a 1; f a/c 1"},
      {{"d a; f a/b", "d a; f a/c; w a"}, "d a 1; f a/c 1"},
      {{"f a", "f a; w a"}, "f a 1"},
      {{"d a; f a/b; d a/d; f a/d/e", "d a; f a/c; o a"}, "d a 1; f a/c 1"},
      {{"d a; f a/b", "o a"}, "d a 0"},
      {{"f a; f b", "f c; o "}, "f c 1"},
      // An opaque folder does not hide its own children of that name.
      {{"d a; f a/b", "d a; o a; f a/b"}, "d a 1; f a/b 1"},
      // Parents that no layer has are made.
      {{"f a/b/c"}, "d a 0; d a/b 0; f a/b/c 0"},
      // The root has an entry of its own.
      {{"d ; f a", "d "}, "d  1; f a 0"},
      // What stands below a symlink is meant for its target.
      {{"d etc; f etc/x; l local->/etc", "w local/x"},
       "d etc 0; l local->/etc 0"},
      {{"d etc; l local->etc", "f local/y"},
       "d etc 0; f etc/y 1; l local->etc 0"},
      {{"d etc; f etc/x; l local->/etc", "o local"},
       "d etc 0; l local->/etc 0"},
      // But not if this layer puts a folder in the symlink's place.
      {{"d etc; f etc/x; l local->/etc", "d local; w local/x; f local/y"},
       "d etc 0; f etc/x 0; d local 1; f local/y 1"},
  };
  for (const Case& row : kCases) {
    EXPECT_EQ(Show(Fold(row.layers)), row.tree)
        << absl::StrJoin(row.layers, " | ");
  }
}

TEST(Tree, HardLinksNameThePathWithTheBytes) {
  struct Case {
    std::vector<std::string> layers;
    const char* tree;
  };
  const Case kCases[] = {
      {{"f a; h b->a"}, "f a 0; f b->a 0"},
      {{"h a->b; f b"}, "f a->b 0; f b 0"},
      {{"f a; h b->a; h c->b"}, "f a 0; f b->a 0; f c->a 0"},
      {{"h a->b; h b->c; f c"}, "f a->c 0; f b->c 0; f c 0"},
      {{"f a", "h b->a"}, "f a 0; f b->a 1"},
      {{"l a->x; h b->a"}, "l a->x 0; l b->x 0"},
      // A link to nothing or to a folder makes nothing.
      {{"d d; h b->a; h c->d"}, "d d 0"},
      // When the path with the bytes goes, the first other name has them.
      {{"f a; h b->a; h c->a", "w a"}, "f b 0; f c->b 0"},
      {{"f a; h b->a; h c->a", "f a"}, "f a 1; f b 0; f c->b 0"},
      {{"d d; f d/a; h d/b->d/a; h e->d/a", "w d"}, "f e 0"},
      {{"f a; h b->a; h c->a", "w b", "w a"}, "f c 0"},
      {{"f a; h b->a", "w a", "w b"}, ""},
      {{"f a; h b->a", "f b"}, "f a 0; f b 1"},
      {{"f a; h b->a", "f b", "w a"}, "f b 1"},
      {{"d b; f b/a", "h b->b/a"}, "f b 1"},
      {{"f a; h b->a", "f a; h b->a"}, "f a 1; f b->a 1"},
      {{"f a; h a->a"}, "f a 0"},
  };
  for (const Case& row : kCases) {
    EXPECT_EQ(Show(Fold(row.layers)), row.tree)
        << absl::StrJoin(row.layers, " | ");
  }
}

TEST(Tree, AHardLinkHasTheMetadataOfItsFile) {
  Tree tree;
  StepDiff diff = Diff("f a; h b->a");
  diff.entries[0].mode = 04755;
  diff.entries[0].uid = 7;
  diff.entries[0].size = 3;
  diff.entries[0].digest = Sha256("abc");
  tree.Apply(diff);
  Entry expected = diff.entries[0];
  expected.path = "b";
  expected.link = "a";
  EXPECT_EQ(tree.Find("b")->entry, expected);
}

TEST(Tree, PathsResolveAsInAChroot) {
  Tree tree = Fold(
      {"d a; d a/b; f a/f; l abs->/a/b; l rel->a; l a/b/up->../..; l dot->.; "
       "l loop->loop; l x->y; l y->x; l out->../../../a; l gone->a/no/such; "
       "l chain->rel/b/up/rel; l root->/; l file->a/f"});
  const std::vector<std::string> kCases[] = {
      // Path, when the last component is followed, when it is not.
      {"", "", ""},
      {"/", "", ""},
      {"a/b", "a/b", "a/b"},
      {"/a//b/.", "a/b", "a/b"},
      {"../../a", "a", "a"},
      {"a/../a/b/..", "a", "a"},
      {"abs", "a/b", "abs"},
      {"abs/", "a/b", "a/b"},
      {"abs/new", "a/b/new", "a/b/new"},
      {"rel/b/up/a", "a", "a"},
      {"rel/b/up", "", "a/b/up"},
      {"dot/dot/a", "a", "a"},
      {"out", "a", "out"},
      {"out/f", "a/f", "a/f"},
      {"chain", "a", "chain"},
      {"chain/b", "a/b", "a/b"},
      {"root/abs/..", "a", "a"},
      {"gone", "a/no/such", "gone"},
      {"gone/x", "a/no/such/x", "a/no/such/x"},
      {"no/such/../x", "no/x", "no/x"},
      {"file", "a/f", "file"},
      {"loop", "error", "loop"},
      {"loop/x", "error", "error"},
      {"x", "error", "x"},
      {"a/f/x", "error", "error"},
      {"file/x", "error", "error"},
      {"a/f/..", "error", "error"},
  };
  for (const auto& row : kCases) {
    for (bool follow : {true, false}) {
      absl::StatusOr<std::string> result = tree.Resolve(row[0], follow);
      EXPECT_EQ(result.ok() ? *result : "error", row[follow ? 1 : 2])
          << row[0] << (follow ? " followed" : "");
    }
  }
  EXPECT_EQ(tree.Resolve("a/f/x", true).status().message() ==
                "/a/f/x: /a/f is no folder",
            true);
}

TEST(Tree, FortySymlinksAreFollowedAndNoMore) {
  StepDiff diff = Diff("f s0");
  for (int i = 1; i <= 41; ++i) {
    diff.entries.push_back({.path = absl::StrCat("s", i),
                            .type = EntryType::kSymlink,
                            .link = absl::StrCat("s", i - 1)});
  }
  Tree tree;
  tree.Apply(diff);
  EXPECT_EQ(*tree.Resolve("s40", true), "s0");
  EXPECT_FALSE(tree.Resolve("s41", true).ok());
}

TEST(Tree, FoldersListTheirChildrenAndAllBelow) {
  Tree tree =
      Fold({"d ; d a; d a/b; f a/b/c; f a/b/d; f a/b-c; f a-b; f a.b; f b; f "
            "a/\x01"});
  EXPECT_EQ(Paths(tree.Children("")), "a a-b a.b b");
  EXPECT_EQ(Paths(tree.Children("a")), "a/\x01 a/b a/b-c");
  EXPECT_EQ(Paths(tree.Below("a")), "a/\x01 a/b a/b/c a/b/d a/b-c");
  EXPECT_EQ(Paths(tree.Below("")), "a a/\x01 a/b a/b/c a/b/d a/b-c a-b a.b b");
  EXPECT_EQ(Paths(tree.Below("a/b")), "a/b/c a/b/d");
  EXPECT_EQ(Paths(tree.Below("b")), "");
  EXPECT_EQ(Paths(tree.Children("none")), "");
  EXPECT_EQ(tree.Find("none"), nullptr);
}

TEST(Tree, ASmallLayerOnALargeBaseCostsWhatItChanges) {
  StepDiff base;
  for (int folder = 0; folder < 200; ++folder) {
    std::string name = absl::StrCat("usr/share/folder", folder);
    base.entries.push_back({.path = name, .type = EntryType::kDirectory});
    for (int file = 0; file < 100; ++file) {
      base.entries.push_back({.path = absl::StrCat(name, "/file", file)});
    }
  }
  SortEntries(base);
  std::clock_t start = std::clock();
  Tree tree;
  tree.Apply(base);
  std::clock_t based = std::clock();
  for (int layer = 0; layer < 500; ++layer) {
    std::string folder = absl::StrCat("usr/share/folder", layer % 200);
    tree.Apply(Diff(absl::StrCat("d ", folder, "; w ", folder, "/file1; f ",
                                 folder, "/new", layer)));
  }
  std::clock_t folded = std::clock();
  EXPECT_EQ(tree.layer_count(), 501u);
  EXPECT_EQ(tree.items().size(), 2u + 200 + 20000 - 200 + 500);
  // All 500 have a tenth of the base's entries; looking at the whole tree each
  // time would take hundreds of times as long as the base.
  EXPECT_LT(folded - based, 3 * (based - start));
}

}  // namespace
}  // namespace lamina::ir
