// Long chains as one node, so that a picture of hundreds of steps can be taken
// in at a glance.
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/plan_formats/plan_graph.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

// The fewest steps whose one node is smaller than they are.
constexpr size_t kShortest = 3;
// Steps that a folded node lists by name.
constexpr size_t kListed = 40;

// The one neighbour of each node, or -1 where there are none or several.
struct Neighbours {
  std::vector<int> before, after;
};

Neighbours FindNeighbours(const PlanGraph& graph) {
  const size_t count = graph.nodes.size();
  std::vector<int> ins(count), outs(count);
  Neighbours found = {std::vector<int>(count, -1), std::vector<int>(count, -1)};
  for (const GraphEdge& edge : graph.edges) {
    ++outs[edge.from];
    ++ins[edge.to];
    found.after[edge.from] = edge.to;
    found.before[edge.to] = edge.from;
  }
  for (size_t i = 0; i < count; ++i) {
    if (ins[i] != 1) {
      found.before[i] = -1;
    }
    if (outs[i] != 1) {
      found.after[i] = -1;
    }
  }
  return found;
}

bool MayJoin(const GraphNode& a, const GraphNode& b) {
  return a.kind == GraphNode::Kind::kStep && b.kind == a.kind &&
         a.stage == b.stage && a.state == b.state && a.layer == b.layer &&
         a.removed == b.removed;
}

// For each node the chain it belongs to, by the position of the first node.
std::vector<std::vector<int>> FindChains(const PlanGraph& graph) {
  const Neighbours near = FindNeighbours(graph);
  auto joined = [&](int from, int to) {
    return to >= 0 && near.before[to] == from &&
           MayJoin(graph.nodes[from], graph.nodes[to]);
  };
  std::vector<std::vector<int>> chains(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const int before = near.before[i];
    if (before >= 0 && near.after[before] == static_cast<int>(i) &&
        joined(before, static_cast<int>(i))) {
      continue;  // Inside a chain that begins elsewhere.
    }
    for (int at = static_cast<int>(i);;) {
      chains[i].push_back(at);
      const int next = near.after[at];
      if (!joined(at, next)) {
        break;
      }
      at = next;
    }
  }
  return chains;
}

GraphNode Fold(const PlanGraph& graph, const std::vector<int>& chain) {
  const GraphNode& first = graph.nodes[chain.front()];
  const GraphNode& last = graph.nodes[chain.back()];
  GraphNode node = first;
  node.kind = GraphNode::Kind::kFold;
  node.word = absl::StrCat(chain.size(), " steps");
  node.number = absl::StrCat(first.number, "–", last.number);
  node.text = absl::StrCat(first.word, " ", first.text);
  node.facts = absl::StrCat("… ", last.word, " ", last.text);
  node.notes.clear();
  node.badges.clear();
  for (int at : chain) {
    const GraphNode& step = graph.nodes[at];
    node.critical = node.critical || step.critical;
    if (at != chain.front()) {
      node.steps.insert(node.steps.end(), step.steps.begin(), step.steps.end());
    }
    if (node.notes.size() < kListed) {
      node.notes.push_back(
          absl::StrCat(step.number, " ", step.word, " ", step.text));
    }
  }
  if (chain.size() > kListed) {
    node.notes.push_back(
        absl::StrCat("… and ", chain.size() - kListed, " more"));
  }
  return node;
}

}  // namespace

PlanGraph FoldChains(const PlanGraph& graph) {
  PlanGraph folded = {.stages = graph.stages, .target = graph.target};
  std::vector<int> place(graph.nodes.size(), -1);
  for (const std::vector<int>& chain : FindChains(graph)) {
    if (chain.size() >= kShortest) {
      for (int at : chain) {
        place[at] = static_cast<int>(folded.nodes.size());
      }
      folded.nodes.push_back(Fold(graph, chain));
      continue;
    }
    for (int at : chain) {
      place[at] = static_cast<int>(folded.nodes.size());
      folded.nodes.push_back(graph.nodes[at]);
    }
  }
  for (GraphEdge edge : graph.edges) {
    edge.from = place[edge.from];
    edge.to = place[edge.to];
    if (edge.from != edge.to) {
      folded.edges.push_back(std::move(edge));
    }
  }
  return folded;
}

}  // namespace lamina::cli
