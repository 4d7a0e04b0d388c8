// The model against what is known of file systems, and against the fold of the
// layers it makes.
#include "gtest/gtest.h"
#include "ir/layout/tree.h"
#include "ir/model_programs.h"

namespace lamina::ir {
namespace {

Run Shell(const std::string& command) {
  return {.args = {"/bin/sh", "-c", command}};
}

TEST(Model, CommandsDoWhatTheirManualPagesSay) {
  ModelTree tree;
  for (const char* command :
       {"mkdir -p /a/b", "echo 1 > /a/f", "ln /a/f /a/g", "ln -s a/f /l",
        "echo 2 > /l", "chmod 600 /a/g", "chown 7:8 /l", "mv /a/b /c",
        "rm -rf /missing"}) {
    EXPECT_TRUE(tree.RunCommand(Shell(command))) << command;
  }
  const Entry& file = tree.Find("a/f")->entry;
  EXPECT_EQ(file.digest, Sha256("2"));
  EXPECT_EQ(file.mode, 0600u);
  EXPECT_EQ(file.uid, 7u);
  EXPECT_EQ(file.gid, 8u);
  EXPECT_EQ(*tree.Find("a/g"), *tree.Find("a/f"));
  EXPECT_TRUE(tree.IsFolder("c"));
  EXPECT_EQ(tree.Find("a/b"), nullptr);
  for (const char* command : {"mv /missing /x", "echo 1 > /missing/x",
                              "ln -s x /l", "chmod 1 /no", "echo 1 > /c"}) {
    EXPECT_FALSE(ModelTree(tree).RunCommand(Shell(command))) << command;
  }
}

TEST(Model, ModesFollowTheMaskInCommandsOnly) {
  Entry file = {.mode = 0644};
  Entry folder = {.type = EntryType::kDirectory, .mode = 02755};
  using Rules = ModelTree::ModeRules;
  EXPECT_EQ(ModelTree::ChangeMode("+w", file, Rules::kCommand), 0644u);
  EXPECT_EQ(ModelTree::ChangeMode("+w", file, Rules::kCopy), 0666u);
  EXPECT_EQ(ModelTree::ChangeMode("+x", file, Rules::kCommand), 0755u);
  EXPECT_EQ(ModelTree::ChangeMode("u=rw", file, Rules::kCommand), 0644u);
  EXPECT_EQ(ModelTree::ChangeMode("700", folder, Rules::kCommand), 02700u);
  EXPECT_EQ(ModelTree::ChangeMode("700", folder, Rules::kCopy), 0700u);
}

// Every tree of a program is the fold of the diffs below it.
TEST(Model, ItsLayersFoldToItsTrees) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    ModelProgram program = RandomProgram(seed);
    ModelRun run = RunModel(program.graph, program.world);
    ASSERT_FALSE(run.failed.has_value()) << seed;
    ASSERT_EQ(run.trees.size(), program.run.trees.size());
    for (uint32_t index = 0; index < run.trees.size(); ++index) {
      const Node& node = program.graph.nodes[NodeId{index}];
      if (node.inputs.empty()) {
        continue;
      }
      Tree tree;
      tree.Apply(DiffModel(ModelTree(), run.trees[node.inputs[0].index]));
      tree.Apply(StepDiffOf(program.graph, run, NodeId{index}));
      Tree expected;
      expected.Apply(DiffModel(ModelTree(), run.trees[index]));
      ASSERT_EQ(tree.items().size(), expected.items().size()) << seed;
      for (const auto& [path, item] : expected.items()) {
        const Tree::Item* found = tree.Find(path);
        ASSERT_NE(found, nullptr) << seed << " " << path;
        ASSERT_EQ(found->entry, item.entry) << seed << " " << path;
      }
    }
  }
}

}  // namespace
}  // namespace lamina::ir
