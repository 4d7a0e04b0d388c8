// The independent check of an image in the store: every byte of its layers is
// read, and what they really hold is compared with what the records promise
// (optimiser.md 8, layers-and-archives.md 6.7).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "backend/store/store.h"
#include "ir/layout/tree_digest.h"

namespace lamina::backend {

struct VerifyOptions {
  bool strict = false;  // Layers from elsewhere must keep our rules too.
  size_t most_differences = 100;
};

struct ImageVerdict {
  // A line each: wrong digests and sizes, damaged tars, configuration and
  // layers that do not belong together, broken rules of our own layers.
  std::vector<std::string> problems;
  // The tree as the store's records have it, then as the layers have it. The
  // root is "/".
  std::vector<ir::TreeDifference> differences;
  bool more_differences = false;
  std::vector<std::string> notes;  // Rules that layers from elsewhere break.
  size_t layers = 0;
  size_t paths = 0;
  std::string tree;  // TreeDigest of what was read; empty: a layer cannot be.

  bool ok() const { return problems.empty() && differences.empty(); }
};

// Errors are of the world only: a file that cannot be read. Changes nothing.
absl::StatusOr<ImageVerdict> VerifyImage(const Image& image, Store& store,
                                         const VerifyOptions& options);

// True when `layer`, whose bottom-most neighbours have the OCI chain id
// `chain` together with it, was made by a build in this store. Layers that came
// in an archive are recorded under their chain id.
bool WasBuiltHere(const Layer& layer, const Digest& chain);

}  // namespace lamina::backend
