// An independent reader of layer tars: what tree a stack of emitted layers
// really gives. Shares no code with the layer writer, the tar reader of the
// store or ir::Tree, so that a mistake of theirs cannot hide itself here
// (layers-and-archives.md 2.2, optimiser.md 8).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ir/layout/trace.h"

namespace lamina::backend {

enum class TarRules {
  kOwn,      // A layer may only have what lamina writes.
  kForeign,  // Whatever has a meaning is legal.
};

// Folds uncompressed layer tars, bottom first. Contents are hashed anew; no
// digest of the writer is trusted. Bytes may come in pieces of any size, so
// that it can stand behind the writer and see what it writes. Memory: the
// records, never the contents.
class TarFold {
 public:
  explicit TarFold(TarRules rules = TarRules::kOwn);
  ~TarFold();
  TarFold(TarFold&&) noexcept;
  TarFold& operator=(TarFold&&) noexcept;

  // A tree that was folded before, as what lies below the next layer.
  void StartFrom(ir::PathStates states,
                 std::optional<ir::PathState> root = std::nullopt);
  // Bytes of the current layer's tar. Errors: damage, what has no meaning (a
  // `.wh.` that deletes no name), what goes against the tree (something below
  // a file, a hard link to nothing); after one this fold cannot go on.
  absl::Status Add(absl::string_view bytes);
  // Ends the current layer. Errors: a cut-off tar and, with kOwn, any broken
  // rule of optimiser.md 8.5; the tree is right then nevertheless.
  absl::Status EndLayer();

  const ir::PathStates& states() const;
  // The root's own metadata, where some layer says it.
  const std::optional<ir::PathState>& root() const;
  int layers() const;
  // The rules that the layer ended last breaks, whatever is allowed: a path
  // twice, a parent that is missing from layer and tree, a hard link that
  // leaves the layer, a whiteout in the bottom layer or of nothing, an opaque
  // marker, a form of entry that we do not write. A line each, 1000 at most.
  const std::vector<std::string>& broken_rules() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lamina::backend
