// The step cache as a folder that another machine can use
// (`--cache-to`, `--cache-from`):
//
//   index.json          the steps, with the names of their layers
//   diffs/HEX           step diff of the layer with that chain, text
//   blobs/sha256/HEX    its tar
//
// Everything is named by content: writing to a folder adds to it. Who can write
// to the folder decides what a build takes from it, as with a build context.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backend/layer_writer.h"
#include "backend/store/store.h"

namespace lamina::backend {

// Writes the steps and their layers; makes tars that are missing.
absl::Status WriteCacheFolder(const std::vector<StepRecord>& steps,
                              const std::string& folder, Store& store,
                              const LayerWriterOptions& options);

// Adds the steps that the store does not know. A folder without an index is
// empty: the first build of a new branch finds none. Errors: an index that does
// not parse, a blob whose bytes have another digest.
absl::Status ReadCacheFolder(const std::string& folder, Store& store);

}  // namespace lamina::backend
