// Reads tar streams: V7, ustar, PAX, GNU long names, base-256 numbers, sparse
// files refused with a clear error (layers-and-archives.md 2.1). Limits as in
// security.md 1. Decompression is found by magic bytes.
#pragma once

#include <cstdint>
#include <map>
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

// What a tar may ask of us (security.md 1).
struct TarLimits {
  uint64_t extended_header = 1 << 20;  // Bytes of one PAX or GNU header.
  uint64_t path = 4096;                // Bytes.
  uint64_t component = 255;            // Bytes; `.wh.` does not count.
  uint64_t depth = 255;                // Components of a path.
  uint64_t entries = 5'000'000;
  uint64_t xattr = 64 << 10;  // Bytes of one value.
  uint64_t xattrs = 256;      // Of one entry.
};

// One member as it stands in the tar: the name validated and cleaned, but a
// whiteout is still a file called `.wh.x` here. The link of a hard link has no
// leading slashes but may hold `..`, which is the reader's to resolve.
class TarReader {
 public:
  explicit TarReader(ByteSource& source, const TarLimits& limits = {})
      : source_(source), limits_(limits) {}

  // The next member, or false at the end. Unread content of the member before
  // is skipped. Errors name the member and its offset in bytes.
  absl::StatusOr<bool> Next(ir::Entry& entry);
  // Bytes of the current file; 0 at its end.
  absl::StatusOr<size_t> ReadContent(void* buffer, size_t size);
  // The whole content; an error beyond `limit` bytes.
  absl::StatusOr<std::string> ReadAllContent(size_t limit);
  // Reads to the end of the source, so that digests cover trailing padding.
  absl::Status Drain();

 private:
  // What PAX and GNU headers say about the member that follows them.
  struct Extension {
    std::map<std::string, std::string> records;
    std::string long_name;
    std::string long_link;
  };

  absl::StatusOr<bool> ReadMember(ir::Entry& entry);
  absl::StatusOr<bool> ReadBlock(char* block);
  absl::StatusOr<bool> AtEnd(const char* block);
  absl::Status ReadExtension(char type, const char* block,
                             Extension& extension);
  absl::StatusOr<bool> ReadHeader(const char* block, Extension& extension,
                                  ir::Entry& entry);
  absl::Status ApplyRecords(const Extension& extension, ir::Entry& entry,
                            std::string& name);
  absl::Status CleanName(absl::string_view name, ir::Entry& entry);
  absl::StatusOr<size_t> ReadSource(char* buffer, size_t size);
  absl::Status Skip(uint64_t size);

  ByteSource& source_;
  TarLimits limits_;
  std::string buffer_;  // Bytes read ahead; [position_, buffer_.size()).
  size_t position_ = 0;
  uint64_t offset_ = 0;  // Of the next byte.
  uint64_t start_ = 0;   // Of the current member's first header.
  uint64_t entries_ = 0;
  uint64_t remaining_ = 0;  // Content of the current member not yet read.
  uint64_t padding_ = 0;
  std::string name_;  // Of the current member, for messages.
  bool ended_ = false;
};

// Turns a member into an entry of a StepDiff: `.wh.x` becomes a whiteout of
// `x`, `.wh..wh..opq` an opaque marker; refuses malformed whiteouts. False for
// what AUFS left behind (`.wh..wh.plnk`), which has no meaning in a layer.
absl::StatusOr<bool> InterpretWhiteout(ir::Entry& entry);

}  // namespace lamina::backend
