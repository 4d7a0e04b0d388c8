// Passes: on graph text, and on random programs against the model.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "gtest/gtest.h"
#include "ir/model_programs.h"
#include "ir/optimise.h"
#include "ir/verify.h"
#include "ir/verify_rewrites.h"

namespace lamina::ir {
namespace {

// --- golden files ----------------------------------------------------------

// The world of a golden case, from lines that the graph's reader skips:
// `# no-cache STAGE`, `# file|folder PATH [MODE]` and `# symlink PATH TARGET`
// in the build context, `# base ...` in every base image.
struct GoldenWorld {
  ModelWorld world;
  std::set<std::string> no_cache_stages;
  bool base_known = false;
};

void AddFile(const std::vector<std::string>& words, size_t at,
             ModelTree& tree) {
  Entry entry = {.mode = 0644};
  if (words[at] == "folder") {
    entry = {.type = EntryType::kDirectory, .mode = 0755};
  } else if (words[at] == "symlink") {
    entry = {.type = EntryType::kSymlink, .mode = 0777};
    entry.link = words[at + 2];
  } else if (words.size() > at + 2) {
    entry.mode = std::stoul(words[at + 2], nullptr, 8);
  }
  tree.PutNew(words[at + 1], std::move(entry));
}

GoldenWorld ReadWorld(const std::string& text, const BuildGraph& graph) {
  GoldenWorld golden;
  golden.world.contexts[""];
  ModelTree base;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words[0] != "#") {
      continue;
    }
    if (words[1] == "no-cache") {
      golden.no_cache_stages.insert(words[2]);
    } else if (words[1] == "base") {
      golden.base_known = true;
      if (words.size() > 2) {
        AddFile(words, 2, base);
      }
    } else {
      AddFile(words, 1, golden.world.contexts[""]);
    }
  }
  for (const Node& node : graph.nodes) {
    if (const auto* image = std::get_if<BaseImage>(&node.op)) {
      golden.world.images[image->reference.Full()] = base;
    }
  }
  return golden;
}

// A golden file: `=== title`, the graph before, `---`, the graph after.
void RunGolden(const Pass& pass, const std::string& path) {
  std::string golden = *ReadFile(path);
  std::string actual;
  std::vector<std::string> cases =
      absl::StrSplit(golden, "=== ", absl::SkipEmpty());
  EXPECT_FALSE(cases.empty()) << path;
  for (const std::string& text : cases) {
    std::pair<std::string, std::string> title =
        absl::StrSplit(text, absl::MaxSplits('\n', 1));
    std::pair<std::string, std::string> graphs =
        absl::StrSplit(title.second, absl::MaxSplits("---\n", 1));
    absl::StatusOr<BuildGraph> input = ParseGraph(graphs.first);
    ASSERT_TRUE(input.ok()) << title.first << ": " << input.status();
    GoldenWorld world = ReadWorld(graphs.first, *input);
    Facts facts = ModelFacts(world.world);
    facts.no_cache_stages = world.no_cache_stages;
    if (!world.base_known) {
      facts.base_tree = nullptr;
    }
    Rewrite result = pass.run(*input, facts);
    std::string output = PrintGraph(result.graph);
    EXPECT_EQ(output, graphs.second) << path << ": " << title.first;
    EXPECT_TRUE(VerifyGraph(result.graph).ok()) << title.first;
    absl::Status verified = VerifyRewrite(*input, result, facts);
    EXPECT_TRUE(verified.ok()) << title.first << ": " << verified;
    EXPECT_EQ(PrintGraph(pass.run(result.graph, facts).graph), output)
        << title.first << ": a second run changes it again";
    absl::StrAppend(&actual, "=== ", title.first, "\n", graphs.first, "---\n",
                    output);
  }
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(ReplaceFile(path, actual, 0644, false).ok());
  }
}

TEST(Passes, EachPassDoesWhatItsGoldenFileShows) {
  for (const Pass* pass : AllPasses()) {
    std::string file(pass->name);
    for (char& c : file) {
      c = c == '-' ? '_' : c;
    }
    std::string path = absl::StrCat("ir/passes/", file, ".golden");
    ASSERT_TRUE(FileExists(path)) << path;
    RunGolden(*pass, path);
  }
}

// --- levels ----------------------------------------------------------------

size_t NodesAt(const BuildGraph& graph, absl::string_view level,
               const std::vector<std::string>& passes = {}) {
  OptimiseOptions options = {.level = *ParseOptLevel(level), .verify = true};
  for (const std::string& pass : passes) {
    EXPECT_TRUE(SetPass(pass, options).ok()) << pass;
  }
  return Optimise(graph, options, Facts()).nodes.size();
}

TEST(Levels, TheLevelAndTheUserDecideWhichPassesRun) {
  BuildGraph graph = *ParseGraph(
      "n0 = scratch\nn1 = local \"unused\"\nn2 = mkdir n0 \"/a\"\n"
      "n3 = mkdir n0 \"/a\"\ntarget \"a\" n2\ntarget \"b\" n3\n");
  EXPECT_EQ(NodesAt(graph, "0"), 3u);
  EXPECT_EQ(NodesAt(graph, "1"), 2u);
  EXPECT_EQ(NodesAt(graph, "2"), 2u);
  EXPECT_EQ(NodesAt(graph, "s"), 2u);
  EXPECT_EQ(NodesAt(graph, "0", {"merge-equal=on"}), 2u);
  EXPECT_EQ(NodesAt(graph, "2", {"merge-equal=off"}), 3u);
  EXPECT_EQ(NodesAt(graph, "1", {"merge-equal=off", "merge-equal=on"}), 2u);
  EXPECT_EQ(NodesAt(graph, "0", {"drop-unreachable=off"}), 4u);
}

TEST(Levels, WhatWasDoneIsToldInTheUsersWords) {
  BuildGraph graph = *ParseGraph(
      "n0 = scratch text(\"FROM scratch\")\n"
      "n1 = copy n0 [] \"/f\" file(\"f\", \"1\") text(\"COPY <<f /f\\n1\") "
      "at(1, 2)\n"
      "n2 = copy n1 [] \"/f\" file(\"f\", \"2\") text(\"COPY <<f /f\") "
      "at(3, 4)\n"
      "n3 = run n2 [\"true\"] text(\"RUN true\") at(5, 6)\n"
      "n4 = run n3 [\"true\"] text(\"RUN make\") at(7, 8)\n"
      "n5 = mkdir n0 \"/x\" text(\"WORKDIR /x\")\n"
      "target \"a\" n4\n");
  std::vector<Applied> applied;
  Optimise(graph, {.verify = true}, Facts(), &applied);
  ASSERT_EQ(applied.size(), 2u);
  EXPECT_EQ(applied[0].pass, "drop-dead-steps");
  EXPECT_EQ(applied[0].text, "`COPY <<f /f` is overwritten by `COPY <<f /f`");
  EXPECT_EQ(applied[0].step, (SourceRange{1, 2}));
  EXPECT_EQ(*applied[0].other, (SourceRange{3, 4}));
  EXPECT_EQ(applied[1].text, "`RUN make` may run in the sandbox of `RUN true`");
}

TEST(Levels, MistakesAreAnsweredWithWhatIsNear) {
  OptimiseOptions options;
  EXPECT_EQ(SetPass("merge-equa=on", options).message(),
            "there is no pass `merge-equa`; did you mean `merge-equal`?");
  EXPECT_EQ(SetPass("merge-equal", options).message(),
            "--pass takes NAME=on or NAME=off, not `merge-equal`");
  EXPECT_TRUE(absl::StrContains(SetPass("zzzzzzz=on", options).message(),
                                "there are drop-unreachable, merge-equal"));
  EXPECT_FALSE(ParseOptLevel("3").has_value());
  EXPECT_FALSE(ParseOptLevel("").has_value());
}

// --- random programs -------------------------------------------------------

// Everything a user can see of a target: its final tree, its configuration and
// its history but for the layers.
std::string Outcome(const BuildGraph& graph, const ModelRun& run) {
  std::string out;
  for (const Target& target : graph.targets) {
    absl::StrAppend(&out, target.name, " ", PrintImageConfig(target.config),
                    "\n", PrintModel(run.trees[target.root.index]));
    for (const HistoryStep& step : target.history) {
      absl::StrAppend(&out, step.entry.created_by, "\n");
    }
  }
  return out;
}

class RandomPrograms {
 public:
  // Counts of programs that a pass changed, by its place in the pipeline.
  std::vector<int> changed = std::vector<int>(AllPasses().size());

  void Check(uint64_t seed) {
    ModelProgram program = RandomProgram(seed);
    Facts facts = ModelFacts(program.world);
    if (seed % 4 == 0) {
      facts.no_cache_stages = {"s1"};
    }
    if (seed % 3 == 0) {
      facts.base_tree = nullptr;
    }
    outcome_ = Outcome(program.graph, program.run);
    std::vector<const Pass*> passes = AllPasses();
    BuildGraph all = program.graph;
    int steps = 0;
    for (size_t i = 0; i < passes.size(); ++i) {
      Rewrite alone = passes[i]->run(program.graph, facts);
      if (!alone.witnesses.empty()) {
        ++changed[i];
        CheckRewrite(program, program.graph, alone, facts, *passes[i]);
      }
      Rewrite next = passes[i]->run(all, facts);
      steps += ChangesSteps(next) ? 1 : 0;
      absl::Status verified = VerifyRewrite(all, next, facts);
      ASSERT_TRUE(verified.ok()) << passes[i]->name << ": " << verified << "\n"
                                 << PrintGraph(all);
      all = std::move(next.graph);
    }
    // One pass alone was tried already.
    if (steps > 1) {
      CheckGraph(program, all, "all passes");
    }
  }

 private:
  // A mark is a permission: the model runs all steps alike.
  static bool ChangesSteps(const Rewrite& rewrite) {
    return std::any_of(rewrite.witnesses.begin(), rewrite.witnesses.end(),
                       [](const Witness& witness) {
                         return witness.rule != Witness::Rule::kSameSandbox;
                       });
  }

  void CheckRewrite(const ModelProgram& program, const BuildGraph& before,
                    const Rewrite& rewrite, const Facts& facts,
                    const Pass& pass) {
    absl::Status verified = VerifyRewrite(before, rewrite, facts);
    ASSERT_TRUE(verified.ok()) << pass.name << ": " << verified << "\n"
                               << PrintGraph(before);
    if (ChangesSteps(rewrite)) {
      CheckGraph(program, rewrite.graph, pass.name);
    }
  }

  void CheckGraph(const ModelProgram& program, const BuildGraph& graph,
                  absl::string_view name) {
    absl::Status valid = VerifyGraph(graph);
    ASSERT_TRUE(valid.ok()) << name << ": " << valid;
    ModelRun run = RunModel(graph, program.world);
    ASSERT_FALSE(run.failed.has_value()) << name << " fails\n"
                                         << PrintGraph(program.graph) << "->\n"
                                         << PrintGraph(graph);
    ASSERT_EQ(Outcome(graph, run), outcome_)
        << name << "\n"
        << PrintGraph(program.graph) << "->\n"
        << PrintGraph(graph);
  }

  std::string outcome_;
};

// LAMINA_RANDOM_PROGRAMS sets their number, LAMINA_RANDOM_SEED the first.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

#ifdef LAMINA_DEBUG
constexpr uint64_t kPrograms = 5'000;
#else
constexpr uint64_t kPrograms = 100'000;
#endif

TEST(Passes, RandomProgramsBuildTheSameTreeWithEachPassAndWithAll) {
  RandomPrograms programs;
  uint64_t first = FromEnvironment("LAMINA_RANDOM_SEED", 1);
  uint64_t count = FromEnvironment("LAMINA_RANDOM_PROGRAMS", kPrograms);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    programs.Check(seed);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
  }
  // A pass that no program gives work to is not tested.
  for (size_t i = 0; i < programs.changed.size(); ++i) {
    EXPECT_GE(programs.changed[i], static_cast<int>(count / 1000))
        << AllPasses()[i]->name;
    RecordProperty(std::string(AllPasses()[i]->name), programs.changed[i]);
  }
}

}  // namespace
}  // namespace lamina::ir
