// From a step diff and the bytes of its files to a layer blob: one pass that
// reads, hashes, compresses on all cores and writes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "base/files.h"
#include "ir/layout/step_diff.h"

namespace lamina::backend {

// Opens the file behind an entry for reading.
using OpenContent =
    std::function<absl::StatusOr<UniqueFd>(const ir::Entry& entry)>;

// The bytes behind an entry: a whole file, or `size` bytes of one from its
// present position.
struct ContentPart {
  UniqueFd fd;
  std::optional<uint64_t> size;
};
using OpenContentPart =
    std::function<absl::StatusOr<ContentPart>(const ir::Entry& entry)>;

struct LayerWriterOptions {
  Compression compression = Compression::kNone;
  int compression_level = -1;  // -1: the format's default.
  int threads = 2;
  // Sees the bytes of the uncompressed tar, in order, from one thread at a
  // time; its failure ends the writing.
  std::function<absl::Status(absl::string_view bytes)> tee;
};

// Writes the tar of `diff` to the new file `path`. Fills in the size and the
// digest of every file entry (a file that shrank or grew since it was listed
// is read as it is now). Memory stays below 64 MiB whatever the size. The same
// diff and bytes give the same blob, whatever the number of threads.
absl::StatusOr<LayerBlob> WriteLayer(ir::StepDiff& diff,
                                     const OpenContent& open,
                                     const LayerWriterOptions& options,
                                     const std::string& path);
absl::StatusOr<LayerBlob> WriteLayer(ir::StepDiff& diff,
                                     const OpenContentPart& open,
                                     const LayerWriterOptions& options,
                                     const std::string& path);

// Copies an existing blob into another compression.
absl::StatusOr<LayerBlob> RecompressLayer(int fd,
                                          const LayerWriterOptions& options,
                                          const std::string& path);

}  // namespace lamina::backend
