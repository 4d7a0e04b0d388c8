// Bytes of the files in stored layers, wherever a layer has them: in its
// folder, or inside its tar. Nothing is unpacked for it unless the tar is
// compressed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer_writer.h"
#include "backend/store/store.h"

namespace lamina::backend {

class LayerContents {
 public:
  // `stack` are the layers, bottom to top.
  LayerContents(std::vector<LayerId> stack, Store& store)
      : stack_(std::move(stack)), store_(store), opened_(stack_.size()) {}

  // The bytes of the file `path` in the layer at `position` of the stack.
  absl::StatusOr<ContentPart> Open(size_t position, const std::string& path);

 private:
  struct Place {
    uint64_t offset = 0;
    uint64_t size = 0;
  };
  struct Opened {
    UniqueFd folder;  // One of the two.
    std::string tar;  // Path of the blob.
    std::map<std::string, Place> places;
  };

  absl::StatusOr<Opened*> OpenLayer(size_t position);
  absl::Status FindPlaces(LayerId id, Opened& opened);

  std::vector<LayerId> stack_;
  Store& store_;
  std::vector<std::unique_ptr<Opened>> opened_;
};

}  // namespace lamina::backend
