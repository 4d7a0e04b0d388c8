#include "ir/verify_rewrites.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/verify_steps.h"

namespace lamina::ir {
namespace {

using Rule = Witness::Rule;

absl::Status Require(bool holds, absl::string_view what) {
  return holds ? absl::OkStatus() : absl::InternalError(what);
}

class Verifier {
 public:
  Verifier(const BuildGraph& before, const Rewrite& rewrite, const Facts& facts)
      : before_(before),
        after_(rewrite.graph),
        moved_(rewrite.moved),
        witnesses_(rewrite.witnesses),
        facts_(facts) {}

  absl::Status Verify() {
    RETURN_IF_ERROR(Require(moved_.size() == before_.nodes.size(),
                            "not every node is accounted for"));
    for (const Target& target : before_.targets) {
      Reach(target.root);
    }
    for (const Witness& witness : witnesses_) {
      RETURN_IF_ERROR(Annotate(CheckWitness(witness), Name(witness.node)));
    }
    RETURN_IF_ERROR(CheckNodes());
    RETURN_IF_ERROR(Require(after_.targets.size() == before_.targets.size(),
                            "a target came or went"));
    for (size_t i = 0; i < after_.targets.size(); ++i) {
      RETURN_IF_ERROR(
          Annotate(CheckTarget(before_.targets[i], after_.targets[i]),
                   absl::StrCat("target ", i)));
    }
    return absl::OkStatus();
  }

 private:
  static std::string Name(NodeId id) { return absl::StrCat("n", id.index); }
  const Node& Before(NodeId id) const { return before_.nodes[id]; }
  std::optional<NodeId> Moved(NodeId id) const { return moved_[id.index]; }

  // --- nodes and targets ---------------------------------------------------

  absl::Status CheckNodes() {
    uint32_t kept = 0;
    for (uint32_t index = 0; index < before_.nodes.size(); ++index) {
      NodeId id = {index};
      if (gone_.contains(id)) {
        continue;
      }
      // Nodes that stay keep their order.
      RETURN_IF_ERROR(
          Require(Moved(id) == NodeId{kept} && kept < after_.nodes.size(),
                  absl::StrCat(Name(id), " is gone or moved")));
      ++kept;
      Node expected = Before(id);
      for (NodeId& input : expected.inputs) {
        RETURN_IF_ERROR(Require(Moved(input).has_value(),
                                absl::StrCat(Name(id), " lost an input")));
        input = *Moved(input);
      }
      const Node& node = after_.nodes[*Moved(id)];
      if (metadata_.contains(id)) {
        RETURN_IF_ERROR(
            Annotate(TakeMetadata(metadata_.at(id), node, expected), Name(id)));
      }
      expected.same_sandbox = expected.same_sandbox || joins_.contains(id);
      RETURN_IF_ERROR(Require(node == expected,
                              absl::StrCat(Name(id), " is another node")));
    }
    return Require(kept == after_.nodes.size(), "there are new nodes");
  }

  absl::Status CheckTarget(const Target& before, const Target& after) const {
    RETURN_IF_ERROR(Require(after.name == before.name, "its name changed"));
    RETURN_IF_ERROR(
        Require(after.config == before.config, "its configuration changed"));
    RETURN_IF_ERROR(
        Require(Moved(before.root) == after.root, "it has another root"));
    RETURN_IF_ERROR(Require(after.history.size() == before.history.size(),
                            "its history is longer or shorter"));
    for (size_t i = 0; i < after.history.size(); ++i) {
      HistoryStep expected = before.history[i];
      if (expected.node.has_value() && layerless_.contains(*expected.node)) {
        expected.node.reset();
        expected.entry.empty_layer = true;
      } else if (expected.node.has_value()) {
        expected.node = Moved(*expected.node);
      }
      RETURN_IF_ERROR(
          Require(after.history[i] == expected,
                  absl::StrCat("its history entry ", i, " is another one")));
    }
    return absl::OkStatus();
  }

  // --- witnesses -----------------------------------------------------------

  absl::Status CheckWitness(const Witness& witness) {
    RETURN_IF_ERROR(Require(witness.node.index < before_.nodes.size() &&
                                witness.other.index < before_.nodes.size(),
                            "a witness for no node"));
    if (witness.rule == Rule::kSameSandbox) {
      joins_.insert(witness.node);
      return CheckSameSandbox(before_, witness.node, witness.other);
    }
    RETURN_IF_ERROR(
        Require(gone_.insert(witness.node).second, "two witnesses"));
    switch (witness.rule) {
      case Rule::kUnreachable:
        return CheckUnreachable(witness.node);
      case Rule::kEqual:
        return CheckEqual(witness.node, witness.other);
      case Rule::kOverwritten:
      case Rule::kSetsMetadata:
        return CheckStep(witness);
      case Rule::kSameSandbox:
        break;
    }
    return absl::InternalError("no such rule");
  }

  void Reach(NodeId node) {
    if (reached_.insert(node).second) {
      for (NodeId input : Before(node).inputs) {
        Reach(input);
      }
    }
  }

  absl::Status CheckUnreachable(NodeId node) const {
    RETURN_IF_ERROR(
        Require(!reached_.contains(node), "a target needs what was dropped"));
    return Require(!Moved(node).has_value(), "it is gone and yet it is there");
  }

  // A step went whose work its neighbour does as well.
  absl::Status CheckStep(const Witness& witness) {
    bool overwritten = witness.rule == Rule::kOverwritten;
    NodeId below = Before(witness.node).inputs[0];
    // What is between the two went as well.
    NodeId upper = overwritten ? witness.other : witness.node;
    NodeId lower = overwritten ? witness.node : witness.other;
    NodeId reader = upper;
    for (NodeId at = Before(upper).inputs[0]; at != lower;
         at = Before(at).inputs[0]) {
      RETURN_IF_ERROR(Require(layerless_.contains(at) && at > lower,
                              "there is a step between the two"));
      reader = at;
    }
    layerless_.insert(witness.node);
    RETURN_IF_ERROR(Require(IsReadOnlyBy(lower, reader),
                            "somebody else reads the tree between"));
    RETURN_IF_ERROR(Require(
        Moved(witness.node) == Moved(overwritten ? below : witness.other),
        "its place was taken by another node"));
    if (overwritten) {
      return CheckOverwritten(before_, witness);
    }
    const Run& run = std::get<Run>(Before(witness.node).op);
    metadata_[witness.other].push_back(run);
    return CheckSetsMetadata(before_, witness);
  }

  // True if `reader` takes `node` as its tree, and nobody else reads it.
  bool IsReadOnlyBy(NodeId node, NodeId reader) const {
    int uses = 0;
    for (const Node& other : before_.nodes) {
      uses += std::count(other.inputs.begin(), other.inputs.end(), node);
    }
    for (const Target& target : before_.targets) {
      uses += target.root == node ? 1 : 0;
    }
    return uses == 1 && Before(reader).inputs[0] == node;
  }

  absl::Status CheckEqual(NodeId node, NodeId other) const {
    const Node& a = Before(node);
    const Node& b = Before(other);
    RETURN_IF_ERROR(Require(other < node && a.op == b.op,
                            "it is not the same as the earlier node"));
    RETURN_IF_ERROR(Require(facts_.no_cache_stages.contains(a.stage) ==
                                facts_.no_cache_stages.contains(b.stage),
                            "only one of two equal nodes may be cached"));
    RETURN_IF_ERROR(Require(a.inputs.size() == b.inputs.size(),
                            "equal nodes with other inputs"));
    for (size_t i = 0; i < a.inputs.size(); ++i) {
      RETURN_IF_ERROR(Require(Moved(a.inputs[i]).has_value() &&
                                  Moved(a.inputs[i]) == Moved(b.inputs[i]),
                              "equal nodes with other inputs"));
    }
    return Require(Moved(node).has_value() && Moved(node) == Moved(other),
                   "its place was not taken by the equal node");
  }

  const BuildGraph& before_;
  const BuildGraph& after_;
  const std::vector<std::optional<NodeId>>& moved_;
  const std::vector<Witness>& witnesses_;
  const Facts& facts_;
  std::set<NodeId> reached_;  // What targets need.
  std::set<NodeId> gone_;
  std::set<NodeId> joins_;  // May run in the sandbox of their parents.
  // By copy: the commands that it took over, in order.
  std::map<NodeId, std::vector<Run>> metadata_;
  std::set<NodeId> layerless_;  // Gone; no other node has their layer.
};

}  // namespace

absl::Status VerifyRewrite(const BuildGraph& before, const Rewrite& rewrite,
                           const Facts& facts) {
  return Verifier(before, rewrite, facts).Verify();
}

}  // namespace lamina::ir
