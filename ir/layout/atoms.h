// The smallest sets of paths that may move alone from layer to layer
// (optimiser.md 6.1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/layout/owners.h"
#include "ir/layout/path_history.h"
#include "ir/layout/trace.h"

namespace lamina::ir {

enum class AtomRole {
  kNormal,
  kBaseChanges,  // Whiteouts and changed types of base paths.
  kIndex,        // Files that change with any package.
};

struct Atom {
  // Owner, "base-changes" or "index". Without an owner, step and top folders:
  // "step:3:usr/lib"; "@5" is added to what step 5 changed of an owner in
  // other epochs than the rest.
  std::string id;
  AtomRole role = AtomRole::kNormal;
  std::vector<int> paths;  // Numbers in the histories, ascending.
  uint64_t bytes = 0;      // As a layer's entries, 512 bytes each included.
  // SHA-256 in hex of paths and states, times left out: they differ between
  // builds of equal contents.
  std::string contents;
  // Vector over the trace's epochs, see EpochBits: of the steps behind it. Of a
  // package that is too much: its step changes when any of its packages does.
  std::string changed;
  bool package = false;  // Has an owner that may change alone.
  int first_step = 0;
  int last_step = 0;
};

// Epochs as bits of change vectors: an epoch has as many bits as it weighs,
// but all weights are halved until there are at most 512 bits.
struct EpochBits {
  int epochs = 1;                    // T: bits in all, at least 1.
  std::vector<std::string> vectors;  // Of each step; vectors[0] is of step 1.
};
EpochBits CountEpochs(const Trace& trace);

// All atoms of what differs between the base and the last tree, by id.
// `histories` has one position a step of `trace`.
std::vector<Atom> FindAtoms(const PathHistories& histories,
                            const EpochBits& epochs, const ReadText& read);

}  // namespace lamina::ir
