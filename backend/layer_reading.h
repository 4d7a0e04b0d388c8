// Reads the stored tar of a layer from end to end, trusting no record.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "backend/store/store.h"
#include "backend/tar_fold.h"
#include "base/digest.h"

namespace lamina::backend {

// What the bytes themselves say.
struct LayerReading {
  Digest digest;  // As stored.
  uint64_t size = 0;
  Digest diff_id;  // Uncompressed.
  uint64_t tar_size = 0;
  // Of the compression or of the tar; damage does not end the reading, so that
  // the digests tell whose fault it is.
  absl::Status content;
};

// Folds the tar into `fold` and ends its layer; null: only digests. Errors:
// the blob cannot be opened or read.
absl::StatusOr<LayerReading> ReadLayerTar(const LayerBlob& blob, Store& store,
                                          TarFold* fold);

}  // namespace lamina::backend
