// Which input of a step changed, in the user's words.
#include <string>
#include <vector>

#include "backend/plan.h"
#include "base/digest.h"
#include "gtest/gtest.h"

namespace lamina::backend {
namespace {

// A graph with one step on a base, beside a stage it reads.
struct OneStep {
  OneStep() : results(3) {
    ir::AddNode(graph, {.op = ir::Scratch()});
    ir::AddNode(graph, {.op = ir::Scratch(), .stage = "tools"});
    results[0].chain = Sha256("base");
    results[1].chain = Sha256("tools");
  }

  std::string Inputs(ir::Op op, const std::string& text = "STEP") {
    ir::BuildGraph with = graph;
    ir::NodeId id = ir::AddNode(with, {.op = std::move(op),
                                       .inputs = {ir::NodeId{0}, ir::NodeId{1}},
                                       .stage = "app",
                                       .text = text});
    return StepInputs(with, with.nodes[id], results, listings);
  }

  ir::BuildGraph graph;
  std::vector<NodeResult> results;
  std::vector<CopyListing> listings;
};

CopyListing Files(const std::vector<std::pair<std::string, std::string>>& all,
                  uint32_t mode = 0644) {
  CopyListing listing;
  for (const auto& [path, bytes] : all) {
    PickedItem picked;
    picked.item.entry.type = ir::EntryType::kFile;
    picked.item.entry.path = path;
    picked.item.entry.mode = mode;
    picked.item.entry.digest = Sha256(bytes);
    listing.items.push_back(std::move(picked));
  }
  return listing;
}

TEST(StepInputs, OfARunAreNamed) {
  ir::Run run = {.args = {"sh", "-c", "make"}, .env = {"A=1", "B=2"}};
  OneStep step;
  std::string before = step.Inputs(run);
  auto after = [&](ir::Run changed) {
    return CompareInputs(before, step.Inputs(std::move(changed)));
  };
  EXPECT_EQ(after(run), "its result is no longer in the store");
  ir::Run other = run;
  other.env = {"A=1", "B=3"};
  EXPECT_EQ(after(other), "the variable B changed");
  other.env = {"A=1"};
  EXPECT_EQ(after(other), "the variable B is gone");
  other.env = {"A=1", "B=2", "C=", "D="};
  EXPECT_EQ(after(other), "the variable C is new (and 1 more)");
  other = run;
  other.args.back() = "make all";
  EXPECT_EQ(after(other), "the command changed");
  other = run;
  other.user = "app";
  EXPECT_EQ(after(other), "the user changed");
  other = run;
  other.working_dir = "/w";
  EXPECT_EQ(after(other), "the working folder changed");
  other = run;
  other.platform = "linux/arm64";
  EXPECT_EQ(after(other), "the platform changed");
  other = run;
  other.scripts = {{"EOF", "#!/bin/sh\n"}};
  EXPECT_EQ(after(other), "the heredoc EOF is new");
  other = run;
  other.network = ir::NetworkMode::kNone;
  EXPECT_EQ(after(other), "the meaning of the instruction changed");
  EXPECT_EQ(CompareInputs(before, step.Inputs(run, "STEP 2")),
            "the instruction changed");
}

TEST(StepInputs, TreesAreNamed) {
  OneStep step;
  ir::Run run = {.args = {"make"}};
  std::string before = step.Inputs(run);
  step.results[1].chain = Sha256("other tools");
  EXPECT_EQ(CompareInputs(before, step.Inputs(run)), "the stage tools changed");
  step.results[0].chain = Sha256("other base");
  EXPECT_EQ(CompareInputs(before, step.Inputs(run)),
            "the step before it changed");
}

TEST(StepInputs, FilesAreNamed) {
  ir::Copy copy = {.sources = {"src"}, .destination = "/"};
  OneStep step;
  step.listings = {Files({{"src/a b", "1"}, {"src/c", "2"}})};
  std::string before = step.Inputs(copy);
  auto after = [&](const CopyListing& files) {
    step.listings = {files};
    return CompareInputs(before, step.Inputs(copy));
  };
  EXPECT_EQ(after(Files({{"src/a b", "1"}, {"src/c", "2"}})),
            "its result is no longer in the store");
  EXPECT_EQ(after(Files({{"src/a b", "x"}, {"src/c", "2"}})),
            "src/a b changed");
  EXPECT_EQ(after(Files({{"src/c", "2"}})), "src/a b is gone");
  EXPECT_EQ(after(Files({{"src/a b", "1"}, {"src/c", "2"}, {"src/d", ""}})),
            "src/d is new");
  EXPECT_EQ(after(Files({{"src/a b", "1"}, {"src/c", "2"}}, 0755)),
            "src/a b changed (and 1 more)");
  // The files say more than the tree they are in.
  step.results[1].chain = Sha256("other tools");
  EXPECT_EQ(after(Files({{"src/a b", "x"}, {"src/c", "2"}})),
            "src/a b changed");
  EXPECT_EQ(after(Files({{"src/a b", "1"}, {"src/c", "2"}})),
            "the stage tools changed");
  // Files that nobody looked at are not gone.
  step.listings.clear();
  step.results[1].chain = Sha256("other tools");
  EXPECT_EQ(CompareInputs(before, step.Inputs(copy)),
            "the stage tools changed");
}

TEST(StepInputs, OfACopyAreNamed) {
  ir::Copy copy = {.sources = {"a"}, .files = {{"E", "x"}}, .destination = "/"};
  OneStep step;
  std::string before = step.Inputs(copy);
  auto after = [&](ir::Copy changed) {
    return CompareInputs(before, step.Inputs(std::move(changed)));
  };
  ir::Copy other = copy;
  other.sources = {"b"};
  EXPECT_EQ(after(other), "an expanded source changed");
  other = copy;
  other.destination = "/b";
  EXPECT_EQ(after(other), "the destination changed");
  other = copy;
  other.owner = {.user = "7", .given = true};
  EXPECT_EQ(after(other), "the owner changed");
  other = copy;
  other.chmod = "700";
  EXPECT_EQ(after(other), "the mode changed");
  other = copy;
  other.files[0].data = "y";
  EXPECT_EQ(after(other), "the heredoc E changed");
}

TEST(StepInputs, ValuesAreNotInThem) {
  OneStep step;
  std::string inputs =
      step.Inputs(ir::Run{.args = {"sh", "-c", "x"}, .env = {"TOKEN=hunter2"}});
  EXPECT_EQ(inputs.find("hunter2"), std::string::npos);
}

TEST(StepKey, DoesNotKnowWhichCacheIsMounted) {
  OneStep step;
  auto key = [&](const ir::Mount& mount, std::vector<std::string> proxies) {
    ir::Node node = {.op = ir::Run{.args = {"x"},
                                   .hidden_env = std::move(proxies),
                                   .mounts = {mount}},
                     .inputs = {ir::NodeId{0}}};
    return StepKey(node, step.results, {}, PlanOptions());
  };
  ir::Mount cache = {.type = ir::Mount::Type::kCache, .target = "/c"};
  ir::Mount other = cache;
  other.id = "another";
  other.sharing = ir::Mount::Sharing::kLocked;
  EXPECT_EQ(key(cache, {}), key(other, {}));
  EXPECT_EQ(key(cache, {}), key(cache, {"http_proxy=p"}));
  other.target = "/d";
  EXPECT_NE(key(cache, {}), key(other, {}));
  ir::Mount secret = {.type = ir::Mount::Type::kSecret, .id = "a"};
  ir::Mount renamed = secret;
  renamed.env = "TOKEN";
  EXPECT_NE(key(secret, {}), key(renamed, {}));
}

}  // namespace
}  // namespace lamina::backend
