// Stages that a stream of chunks passes on several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "backend/compress.h"

namespace lamina::backend {

inline constexpr size_t kChunkSize = 1 << 20;

// A piece of a layer. Chunk borders depend on the bytes of the tar only, never
// on timing: all chunks but the last are full.
struct Chunk {
  // Bytes of one file in this chunk.
  struct FilePart {
    size_t entry = 0;  // Its place in the step diff.
    size_t offset = 0;
    size_t size = 0;
    bool ends = false;  // The file ends here.
  };

  std::unique_ptr<char[]> bytes;  // kChunkSize.
  size_t size = 0;
  std::vector<FilePart> files;
  bool last = false;  // Set by the first stage.
  Packed packed;
  std::unique_ptr<Deflater> deflater;  // Made by the stage that needs it.
};

struct Stage {
  std::function<absl::Status(Chunk&)> run;
  // A serial stage sees the chunks one by one and in order; a parallel one in
  // any order and at the same time.
  bool serial = true;
};

// Sends chunks through `stages` until the first stage has set `last` and that
// chunk is through, or a stage fails. A chunk is reused once it is through;
// there are never more than `chunks` of them. Works on this thread and
// `threads` - 1 others.
absl::Status RunPipeline(const std::vector<Stage>& stages, int threads,
                         size_t chunks);

}  // namespace lamina::backend
