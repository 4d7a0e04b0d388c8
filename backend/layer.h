// Layers and images as they were made: values that the store keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/digest.h"
#include "ir/image_config.h"

namespace lamina::backend {

enum class Compression { kNone, kGzip, kZstd };

absl::string_view CompressionName(Compression compression);  // "none", ...
// OCI image-spec media type of a layer with this compression.
absl::string_view LayerMediaType(Compression compression);

// One stored form of a layer.
struct LayerBlob {
  Digest diff_id;  // Of the uncompressed tar.
  Digest digest;   // Of the bytes as stored.
  uint64_t size = 0;        // As stored, bytes.
  uint64_t tar_size = 0;    // Uncompressed, bytes.
  Compression compression = Compression::kNone;
};

// The row of one layer on top of one particular stack: `chain` names both.
using LayerId = int64_t;
struct Layer {
  LayerId id = 0;
  Digest chain;
  std::optional<Digest> diff_id;  // None until the tar was made.
  uint64_t size = 0;              // Of the uncompressed tar; 0 until made.
  bool unpacked = false;          // The folder of the layer exists.
};

// An image in the store.
struct Image {
  Digest id;  // Of the configuration document.
  ir::ImageDocument document;
  std::vector<LayerId> layers;  // Bottom to top; as many as diff_ids.
  int64_t stored_at = 0;        // Seconds since the epoch.
};

}  // namespace lamina::backend
