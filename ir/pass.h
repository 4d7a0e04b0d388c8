// Optimiser passes: one file each in ir/passes, listed in pipeline.def.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ir/graph.h"
#include "ir/layout/tree.h"

namespace lamina::ir {

// What `-O` asks for (optimiser.md 2).
enum class OptLevel { k0, k1, k2, ks };

// What passes may ask about the world outside the graph. Without an answer
// nothing is known, and a pass then does nothing.
struct Facts {
  // Stages of --no-cache-filter, as Node::stage has them.
  std::set<std::string> no_cache_stages;
  // What `copy` picks from a folder of the user: paths below the destination,
  // "" for a copied folder itself; of a file that is named directly its name.
  // Nothing when it is not known; that includes archives to unpack.
  struct Picked {
    std::string name;
    bool from_folder = false;  // Part of a copied folder.
    Entry entry;
  };
  std::function<std::optional<std::vector<Picked>>(const Copy& copy,
                                                   const LocalFiles& from)>
      list_copy;
  // The tree of a base; null when it is not in the store.
  std::function<const Tree*(const BaseImage& base)> base_tree;
};

// Why a node of the graph before a pass is not, or not as it was, in the graph
// after it. Both ids are of the graph before. ir/verify_rewrites.h says what
// has to hold for each rule.
struct Witness {
  enum class Rule {
    kUnreachable,   // `node` is gone; nobody needs it.
    kEqual,         // `node` is gone; `other` is the same step.
    kOverwritten,   // `node` is gone; the copy `other` writes its `paths`.
    kSetsMetadata,  // `node` is gone; the copy `other` now gives its `paths`
                    // the mode or the owner.
    kSameSandbox,   // `node` may run in the sandbox of its parent, `other`.
  };
  Rule rule = Rule::kUnreachable;
  NodeId node;
  NodeId other;
  std::vector<std::string> paths;
};

struct Rewrite {
  BuildGraph graph;
  // By node of the graph before: the one that now stands for it. None: nothing
  // reads it any more.
  std::vector<std::optional<NodeId>> moved;
  std::vector<Witness> witnesses;
};

// Same graph and facts in, same graph out: the result depends on nothing else.
// Where the plain graph builds, the result builds the same tree, the same
// configuration and a history with the same entries.
struct Pass {
  absl::string_view name;
  absl::string_view summary;
  Rewrite (*run)(const BuildGraph&, const Facts&);
  OptLevel since = OptLevel::k0;  // The lowest of -O0, -O1, -O2 that runs it.
  bool at_size = true;            // -Os runs it.
};

// In the order they run.
std::vector<const Pass*> AllPasses();

// True if `level` alone runs the pass.
bool RunsAt(const Pass& pass, OptLevel level);

}  // namespace lamina::ir
