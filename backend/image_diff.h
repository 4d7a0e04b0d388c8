// What differs between two images of the store: file systems, configuration,
// layers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "backend/store/store.h"
#include "ir/layout/tree_digest.h"

namespace lamina::backend {

struct PathChange {
  std::string path;                     // "" is the root.
  std::optional<ir::PathState> first;   // None: added.
  std::optional<ir::PathState> second;  // None: removed.
  // Of a path in both images: "type", "mode", ... as CompareTrees has them.
  std::vector<ir::TreeDifference> fields;
};

// A field of the configuration: "Env.PATH", "Labels.version", "Cmd".
struct ConfigChange {
  std::string key;
  std::optional<std::string> first, second;
};

struct DiffedLayer {
  Digest diff_id;
  uint64_t size = 0;  // Of the tar, bytes.
  std::string instruction;
  bool shared = false;  // Both images have it, at whatever height.
};

struct ImageDiff {
  std::vector<PathChange> paths;           // In entry order.
  std::vector<ConfigChange> config;        // By key.
  std::vector<DiffedLayer> first, second;  // Bottom to top.

  // Whether a container would see the same: layers do not count.
  bool equal() const { return paths.empty() && config.empty(); }
};

// Times of files and of the image count only with `times`. Reads the tars of
// layers only where the records cannot tell. Errors: the store is damaged.
absl::StatusOr<ImageDiff> DiffImages(const Image& first, const Image& second,
                                     bool times, Store& store);

}  // namespace lamina::backend
