// Does equal steps on equal inputs once.
//
// Stands after drop-unreachable, so that no step that is needed takes over the
// name and the source of one that is not.
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/pass.h"
#include "ir/rewrite.h"

namespace lamina::ir {
namespace {

class Merger {
 public:
  Merger(const BuildGraph& graph, const Facts& facts)
      : graph_(graph), facts_(facts), first_(EachStays(graph)) {}

  Rewrite Merge() {
    // Forward: the inputs of a node are merged before the node is compared.
    for (uint32_t index = 0; index < graph_.nodes.size(); ++index) {
      NodeId id = {index};
      first_[index] = FindFirst(id);
      if (*first_[index] != id) {
        witnesses_.push_back({Witness::Rule::kEqual, id, *first_[index], {}});
      }
    }
    Rewrite rewrite = ReplaceNodes(graph_, first_, History::kTakesOver);
    rewrite.witnesses = std::move(witnesses_);
    return rewrite;
  }

 private:
  std::vector<NodeId> Inputs(NodeId id) const {
    std::vector<NodeId> inputs = graph_.nodes[id].inputs;
    for (NodeId& input : inputs) {
      input = *first_[input.index];
    }
    return inputs;
  }

  // A step that shall run anew is not the same as one that may be cached.
  bool RunsAnew(const Node& node) const {
    return facts_.no_cache_stages.contains(node.stage);
  }

  // The first node with the same op and inputs, or `id` itself. The key leaves
  // out what does not count for a step's key, so the ops themselves are
  // compared.
  NodeId FindFirst(NodeId id) {
    const Node& node = graph_.nodes[id];
    std::vector<NodeId> inputs = Inputs(id);
    std::string key = PrintOp(node.op);
    for (NodeId input : inputs) {
      absl::StrAppend(&key, " n", input.index);
    }
    std::vector<NodeId>& candidates = seen_[key];
    for (NodeId candidate : candidates) {
      const Node& other = graph_.nodes[candidate];
      if (other.op == node.op && Inputs(candidate) == inputs &&
          RunsAnew(other) == RunsAnew(node)) {
        return candidate;
      }
    }
    candidates.push_back(id);
    return id;
  }

  const BuildGraph& graph_;
  const Facts& facts_;
  Successors first_;
  std::map<std::string, std::vector<NodeId>> seen_;
  std::vector<Witness> witnesses_;
};

Rewrite MergeEqual(const BuildGraph& graph, const Facts& facts) {
  return Merger(graph, facts).Merge();
}

}  // namespace

extern constinit const Pass kMergeEqual = {
    .name = "merge-equal",
    .summary = "does equal steps on equal inputs once",
    .run = MergeEqual,
    .since = OptLevel::k1,
};

}  // namespace lamina::ir
