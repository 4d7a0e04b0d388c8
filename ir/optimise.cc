#include "ir/optimise.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/text.h"
#include "ir/verify.h"
#include "ir/verify_rewrites.h"

namespace lamina::ir {

#define PASS(name) extern const Pass name;
#include "ir/passes/pipeline.def"
#undef PASS

namespace {

#ifdef LAMINA_DEBUG
constexpr bool kAlwaysVerify = true;
#else
constexpr bool kAlwaysVerify = false;
#endif

// A pass that breaks a graph must be caught before its result is built.
void Require(const absl::Status& status, absl::string_view after) {
  if (!status.ok()) {
    std::string broken = absl::StrCat("after ", after, ": ", status.message());
    CheckFailed(__FILE__, __LINE__, broken.c_str());
  }
}

std::string Quoted(const Node& node) {
  return absl::StrCat("`", node.text.substr(0, node.text.find('\n')), "`");
}

struct Told {
  absl::string_view rule;
  std::string text;
};

// Nothing for what goes because nobody needs it: the user knows that.
std::optional<Told> Describe(const Witness& witness,
                             const BuildGraph& before) {
  std::string step = Quoted(before.nodes[witness.node]);
  std::string other = Quoted(before.nodes[witness.other]);
  switch (witness.rule) {
    case Witness::Rule::kUnreachable:
      break;
    case Witness::Rule::kEqual:
      return Told{"equal-step",
                  absl::StrCat(step, " is done once, as ", other)};
    case Witness::Rule::kOverwritten:
      return Told{"overwritten",
                  absl::StrCat(step, " is overwritten by ", other)};
    case Witness::Rule::kSetsMetadata:
      return Told{"sets-metadata",
                  absl::StrCat(other, " sets what ", step, " changes")};
    case Witness::Rule::kSameSandbox:
      return Told{"same-sandbox",
                  absl::StrCat(step, " may run in the sandbox of ", other)};
  }
  return std::nullopt;
}

void Tell(absl::string_view pass, const Rewrite& rewrite,
          const BuildGraph& before, std::vector<Applied>& applied) {
  for (const Witness& witness : rewrite.witnesses) {
    if (std::optional<Told> told = Describe(witness, before)) {
      applied.push_back({pass, before.nodes[witness.node].source,
                         before.nodes[witness.other].source,
                         std::move(told->text), told->rule});
    }
  }
}

}  // namespace

std::vector<const Pass*> AllPasses() {
  return {
#define PASS(name) &name,
#include "ir/passes/pipeline.def"
#undef PASS
  };
}

bool RunsAt(const Pass& pass, OptLevel level) {
  return level == OptLevel::ks ? pass.at_size : pass.since <= level;
}

std::optional<OptLevel> ParseOptLevel(absl::string_view text) {
  return text == "0"   ? std::optional(OptLevel::k0)
         : text == "1" ? std::optional(OptLevel::k1)
         : text == "2" ? std::optional(OptLevel::k2)
         : text == "s" ? std::optional(OptLevel::ks)
                       : std::nullopt;
}

absl::Status SetPass(absl::string_view text, OptimiseOptions& options) {
  std::pair<std::string, std::string> pair =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  const auto& [name, value] = pair;
  if (value != "on" && value != "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("--pass takes NAME=on or NAME=off, not `", text, "`"));
  }
  std::vector<std::string> names;
  for (const Pass* pass : AllPasses()) {
    names.emplace_back(pass->name);
    if (pass->name == name) {
      options.passes[name] = value == "on";
      return absl::OkStatus();
    }
  }
  std::optional<std::string> near = Closest(name, names);
  return absl::InvalidArgumentError(absl::StrCat(
      "there is no pass `", name, "`; ",
      near.has_value()
          ? absl::StrCat("did you mean `", *near, "`?")
          : absl::StrCat("there are ", absl::StrJoin(names, ", "))));
}

BuildGraph Optimise(BuildGraph graph, const OptimiseOptions& options,
                    const Facts& facts, std::vector<Applied>* applied) {
  bool verify = options.verify || kAlwaysVerify;
  if (verify) {
    Require(VerifyGraph(graph), "lowering");
  }
  for (const Pass* pass : AllPasses()) {
    auto asked = options.passes.find(std::string(pass->name));
    bool runs = asked == options.passes.end() ? RunsAt(*pass, options.level)
                                              : asked->second;
    if (!runs) {
      continue;
    }
    Rewrite rewrite = pass->run(graph, facts);
    if (verify) {
      Require(VerifyGraph(rewrite.graph), pass->name);
      Require(VerifyRewrite(graph, rewrite, facts), pass->name);
    }
    if (applied != nullptr) {
      Tell(pass->name, rewrite, graph, *applied);
    }
    graph = std::move(rewrite.graph);
  }
  return graph;
}

}  // namespace lamina::ir
