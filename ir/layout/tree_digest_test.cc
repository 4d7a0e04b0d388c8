#include "ir/layout/tree_digest.h"

#include "absl/strings/str_join.h"
#include "ir/layout/test_fixtures.h"

namespace lamina::ir {
namespace {

std::string Show(const std::vector<TreeDifference>& differences) {
  return absl::StrJoin(differences, "; ", [](std::string* out, const auto& d) {
    absl::StrAppend(out, d.path, " ", d.field, " ", d.first, " ", d.second);
  });
}

std::string Compare(const PathStates& a, const PathStates& b) {
  const std::string found = Show(CompareTrees(a, b, 100));
  EXPECT_EQ(found.empty(), TreeDigest(a) == TreeDigest(b)) << found;
  return found;
}

TEST(TreeDigest, EachFieldCounts) {
  const PathStates tree = {{"a", FileState("x", 1)},
                           {"l", {.type = EntryType::kSymlink, .body = "a"}}};
  EXPECT_EQ(Compare(tree, tree), "");
  PathStates other = tree;
  other["a"] = {.type = EntryType::kFile,
                .mode = 04755,
                .uid = 1,
                .gid = 2,
                .mtime = 3,
                .body = "y",
                .xattrs = {{"user.b", "\x01"}}};
  other["l"].body = "b";
  EXPECT_EQ(Compare(tree, other),
            "a mode 0644 4755; a uid 0 1; a gid 0 2; a mtime 0 3; "
            "a content x y; a xattrs  user.b=01; l target a b");
  EXPECT_EQ(CompareTrees(tree, other, 2).size(), 2U);
  other = tree;
  other["a"].size = 9;
  EXPECT_EQ(Compare(tree, other), "");
  other["b"] = {.type = EntryType::kFifo};
  other.erase("a");
  EXPECT_EQ(Compare(tree, other),
            "a presence present absent; b presence absent present");
  other = tree;
  other["a"] = {.type = EntryType::kCharDevice, .mode = 0644, .body = "x"};
  EXPECT_EQ(Compare(tree, other), "a type f c");
}

TEST(TreeDigest, AnImpliedFolderIsAPlainOne) {
  PathStates implied = {{"d/e/f", FileState("x", 1)}};
  PathStates plain = {{"d", FolderState()},
                      {"d/e", FolderState()},
                      {"d/e/f", FileState("x", 1)}};
  EXPECT_EQ(Compare(implied, plain), "");
  plain["d/e"].mode = 0700;
  EXPECT_EQ(Compare(implied, plain), "d/e mode 0755 0700");
}

TEST(TreeDigest, LinkNamesDoNotCountButGroupsDo) {
  const PathStates one = {{"a", LinkedState("i", 1)},
                          {"b", LinkedState("i", 1)}};
  PathStates two = one;
  two["a"].link = two["b"].link = "j";
  EXPECT_EQ(Compare(one, two), "");
  two["b"].link = "k";
  EXPECT_EQ(Compare(one, two), "a link a ; b link a ");
}

TEST(TreeDigest, NeighboursOfAFolderStandBehindWhatIsBelowIt) {
  // In plain byte order `a-` would come between `a` and `a/b`.
  const PathStates tree = {{"a", FolderState()},
                           {"a/b", FileState("x", 1)},
                           {"a-", FileState("y", 1)}};
  PathStates other = tree;
  other.erase("a/b");
  other["a-/b"] = FileState("x", 1);
  EXPECT_NE(TreeDigest(tree), TreeDigest(other));
  EXPECT_EQ(TreeDigest({}),
            "829c9fd90f6bd28457ffe27dbc2aa4c2c9a7c78c02a75d5d1ab509db4f55eb23");
}

TEST(TreeDigest, AFoldedTreeKeepsItsLinks) {
  Tree tree;
  tree.Apply({{{.path = "b", .mode = 0644, .size = 3},
               {.path = "c", .type = EntryType::kHardLink, .link = "b"},
               {.path = "s", .type = EntryType::kSymlink, .link = "b"},
               {.path = "z",
                .type = EntryType::kCharDevice,
                .major = 1,
                .minor = 3}}});
  const PathStates states = StatesOf(tree);
  EXPECT_EQ(states.at("b").link, states.at("c").link);
  EXPECT_FALSE(states.at("b").link.empty());
  EXPECT_EQ(states.at("b").body, states.at("c").body);
  EXPECT_EQ(states.at("s").body, "b");
  EXPECT_EQ(states.at("s").link, "");
  EXPECT_EQ(states.at("z").body, "1:3");
}

TEST(TreeDigest, AgreesWithTheFixtures) {
  SKIP_WITHOUT_FIXTURES();
  for (const TraceCase& test : ReadTraceCases()) {
    PathStates states;
    std::vector<std::string> digests;
    ApplyEvents(test.trace.base, states);
    digests.push_back(TreeDigest(states));
    for (const TraceStep& step : test.trace.steps) {
      ApplyEvents(step.events, states);
      digests.push_back(TreeDigest(states));
    }
    EXPECT_EQ(Json::Strings(digests), test.expected["trees"])
        << test.trace.name;
  }
}

}  // namespace
}  // namespace lamina::ir
