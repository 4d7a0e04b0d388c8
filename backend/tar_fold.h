// An independent reader of layer tars: what tree a stack of emitted layers
// really gives. Shares no code with the layer writer, the tar reader of the
// store or ir::Tree, so that a mistake of theirs cannot hide itself here
// (layers-and-archives.md 2.2, optimiser.md 8).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ir/layout/trace.h"

namespace lamina::backend {

// Folds uncompressed layer tars, bottom first. Contents are hashed anew; no
// digest of the writer is trusted. Bytes may come in pieces of any size, so
// that it can stand behind the writer and see what it writes. Memory: the
// records, never the contents.
class TarFold {
 public:
  TarFold();
  ~TarFold();
  TarFold(TarFold&&) noexcept;
  TarFold& operator=(TarFold&&) noexcept;

  // A tree that was folded before, as what lies below the next layer.
  void StartFrom(ir::PathStates states);
  // Bytes of the current layer's tar.
  absl::Status Add(absl::string_view bytes);
  // Ends the current layer and applies it. Errors: a damaged or cut-off tar,
  // and what optimiser.md 8.5 forbids: a path twice, a parent that is missing
  // from layer and tree, a hard link to nothing, a whiteout in the bottom
  // layer or of nothing, something below a file.
  absl::Status EndLayer();

  const ir::PathStates& states() const;
  int layers() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lamina::backend
