// Reads tar streams: V7, ustar, PAX, GNU long names, base-256 numbers, sparse
// files refused with a clear error (layers-and-archives.md 2.1). Limits as in
// security.md 1. Decompression is found by magic bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/layout/step_diff.h"

namespace lamina::backend {

// A source of bytes. Returns the number of bytes read, 0 at the end.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual absl::StatusOr<size_t> Read(void* buffer, size_t size) = 0;
};

std::unique_ptr<ByteSource> MakeFdSource(int fd);  // Does not own the fd.
std::unique_ptr<ByteSource> MakeMemorySource(std::string bytes);

// Wraps `inner` in the decompressor that its first bytes call for: gzip (many
// members), zstd (many frames), xz, bzip2; plain bytes pass through. `format`
// receives "gzip", "zstd", "xz", "bzip2" or "".
absl::StatusOr<std::unique_ptr<ByteSource>> Decompress(
    std::unique_ptr<ByteSource> inner, std::string* format);

// One member as it stands in the tar: the name validated and cleaned, but a
// whiteout is still a file called `.wh.x` here.
class TarReader {
 public:
  explicit TarReader(ByteSource& source) : source_(source) {}

  // The next member, or false at the end. Unread content of the member before
  // is skipped.
  absl::StatusOr<bool> Next(ir::Entry& entry);
  // Bytes of the current file; 0 at its end.
  absl::StatusOr<size_t> ReadContent(void* buffer, size_t size);
  // The whole content; an error beyond `limit` bytes.
  absl::StatusOr<std::string> ReadAllContent(size_t limit);
  // Reads to the end of the source, so that digests cover trailing padding.
  absl::Status Drain();

 private:
  absl::StatusOr<bool> ReadHeader(ir::Entry& entry);
  ByteSource& source_;
  uint64_t offset_ = 0;      // Bytes read from the source.
  uint64_t remaining_ = 0;   // Content of the current member not yet read.
  uint64_t padding_ = 0;
  bool ended_ = false;
};

// Turns a member into an entry of a StepDiff: `.wh.x` becomes a whiteout of
// `x`, `.wh..wh..opq` an opaque marker; refuses malformed whiteouts.
absl::Status InterpretWhiteout(ir::Entry& entry);

}  // namespace lamina::backend
