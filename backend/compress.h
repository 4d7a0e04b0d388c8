// gzip and zstd as layers need them: the same bytes whatever the number of
// threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina::backend {

// Compressed bytes in a buffer that is used again and again.
struct Packed {
  std::string buffer;
  size_t size = 0;   // Of the bytes in it.
  uint32_t crc = 0;  // CRC-32 of what was compressed; gzip only.

  absl::string_view bytes() const { return {buffer.data(), size}; }
};

// Compresses chunks one by one into deflate blocks (RFC 1951) that end on a
// byte and refer to nothing outside of the chunk. Blocks of consecutive chunks
// make one stream, whoever compressed them.
//
// Levels 1 to 3 are ISA-L's, several times as fast as zlib; 4 to 9 are zlib's,
// smaller and slow. The bytes are the same for the same version of the
// library on the same kind of processor.
class Deflater {
 public:
  // -1 is level 1. Errors: no such level, no ISA-L on this machine.
  static absl::StatusOr<std::unique_ptr<Deflater>> Create(int level);
  virtual ~Deflater() = default;
  virtual void Compress(absl::string_view chunk, Packed& packed) = 0;
};

// RFC 1952: no name, no time, no system.
absl::string_view GzipHeader();
// The last, empty block, and the check of all `size` bytes.
std::string GzipTrailer(uint32_t crc, uint64_t size);
// The CRC-32 of two strings one after another.
uint32_t CombineCrc(uint32_t first, uint32_t second, uint64_t second_size);

// Compresses chunks in order into one zstd frame without a checksum.
class ZstdCompressor {
 public:
  // -1 is level 3. The library has `threads` of its own. Errors: no such
  // level, no library on this machine.
  static absl::StatusOr<std::unique_ptr<ZstdCompressor>> Create(int level,
                                                                int threads);
  virtual ~ZstdCompressor() = default;
  // Fills `packed` with what is ready; after the last chunk that is all.
  virtual absl::Status Compress(absl::string_view chunk, bool last,
                                Packed& packed) = 0;
};

}  // namespace lamina::backend
