// Drops a COPY whose files the next COPY overwrites, every one of them.
//
// Only neighbours: a command between them may read what is overwritten, and a
// RUN is never dead, for it may fail. What a COPY writes is known when it
// places regular files that are named directly, or when both are the very same
// COPY to a place without symlinks.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "ir/known_tree.h"
#include "ir/pass.h"
#include "ir/patterns.h"
#include "ir/rewrite.h"

namespace lamina::ir {
namespace {

class DeadSteps {
 public:
  DeadSteps(const BuildGraph& graph, const Facts& facts)
      : graph_(graph),
        facts_(facts),
        uses_(CountUses(graph)),
        successors_(EachStays(graph)) {}

  Rewrite Drop() {
    // Backwards, so that a COPY meets all those below it that it overwrites.
    for (uint32_t index = graph_.nodes.size(); index-- > 0;) {
      NodeId id = {index};
      if (successors_[index] == id && IsPlainCopy(graph_.nodes[id])) {
        DropBelow(id);
      }
    }
    Rewrite rewrite = ReplaceNodes(graph_, successors_, History::kEmpty);
    rewrite.witnesses = std::move(witnesses_);
    return rewrite;
  }

 private:
  static bool IsPlainCopy(const Node& node) {
    const auto* copy = std::get_if<Copy>(&node.op);
    return copy != nullptr && !copy->link && !copy->parents && !copy->unpack;
  }

  void DropBelow(NodeId later) {
    NodeId id = graph_.nodes[later].inputs[0];
    while (uses_[id.index] == 1 && IsPlainCopy(graph_.nodes[id])) {
      Witness witness = {Witness::Rule::kOverwritten, id, later, {}};
      if (!IsRepetition(id, later) && !WritesAll(id, later, witness.paths)) {
        return;
      }
      NodeId below = graph_.nodes[id].inputs[0];
      successors_[id.index] = below;
      witnesses_.push_back(std::move(witness));
      id = below;
    }
  }

  const Copy& CopyAt(NodeId id) const {
    return std::get<Copy>(graph_.nodes[id].op);
  }

  // The same files again. A folder among them may hold symlinks, so what the
  // first COPY writes must not lead the second one elsewhere.
  bool IsRepetition(NodeId id, NodeId later) const {
    const Node& node = graph_.nodes[id];
    const Copy& copy = CopyAt(id);
    if (copy != CopyAt(later) || copy.sources.size() != 1 ||
        !copy.files.empty() || HasWildcard(copy.sources[0]) ||
        node.inputs[1] != graph_.nodes[later].inputs[1]) {
      return false;
    }
    std::optional<KnownTree> tree =
        KnownTree::After(graph_, node.inputs[0], facts_);
    std::string target = copy.destination.substr(1);
    if (absl::EndsWith(target, "/")) {
      target.pop_back();
    }
    return tree.has_value() && tree->IsPlain(target);
  }

  bool WritesAll(NodeId id, NodeId later, std::vector<std::string>& paths) {
    const Copy& copy = CopyAt(id);
    const Copy& over = CopyAt(later);
    // Folders that are made on the way have the owner and an octal mode.
    if (copy.destination != over.destination || copy.owner != over.owner ||
        copy.chmod != over.chmod) {
      return false;
    }
    std::optional<std::vector<Facts::Picked>> picks =
        ListPicks(graph_, graph_.nodes[id], facts_);
    std::optional<std::vector<Facts::Picked>> over_picks =
        ListPicks(graph_, graph_.nodes[later], facts_);
    if (!picks || !over_picks || picks->empty() || !AreNamedFiles(*picks) ||
        !AreNamedFiles(*over_picks)) {
      return false;
    }
    std::set<std::string> names;
    for (const Facts::Picked& picked : *over_picks) {
      names.insert(picked.name);
    }
    bool inside = true;
    for (const Facts::Picked& picked : *picks) {
      inside = inside && names.contains(picked.name);
      paths.push_back(picked.name);
    }
    bool is_folder = absl::EndsWith(copy.destination, "/");
    return (inside && (is_folder || names.size() == 1)) ||
           (!is_folder && picks->size() == 1 && over_picks->size() == 1 &&
            IsNoFolder(id, copy.destination));
  }

  // True if a copy to `path` writes just that, whatever its source is called.
  bool IsNoFolder(NodeId id, const std::string& path) const {
    std::optional<KnownTree> tree =
        KnownTree::After(graph_, graph_.nodes[id].inputs[0], facts_);
    if (!tree.has_value()) {
      return false;
    }
    std::optional<std::string> target = tree->Resolve(path.substr(1));
    return target.has_value() && !tree->IsFolder(*target);
  }

  const BuildGraph& graph_;
  const Facts& facts_;
  std::vector<int> uses_;
  Successors successors_;
  std::vector<Witness> witnesses_;
};

Rewrite DropDeadSteps(const BuildGraph& graph, const Facts& facts) {
  return DeadSteps(graph, facts).Drop();
}

}  // namespace

extern constinit const Pass kDropDeadSteps = {
    .name = "drop-dead-steps",
    .summary = "drops a COPY that the next one overwrites",
    .run = DropDeadSteps,
    .since = OptLevel::k1,
};

}  // namespace lamina::ir
