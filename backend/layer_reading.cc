#include "backend/layer_reading.h"

#include <memory>
#include <string>

#include "backend/formats/hashing_source.h"
#include "backend/tar/tar_reader.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kPiece = 1 << 20;

// Reads the uncompressed tar to its end, or to where it cannot be read.
absl::Status ReadPlain(ByteSource& stored, bool& compressed, Hasher& hasher,
                       uint64_t& size, TarFold* fold) {
  std::string format;
  ASSIGN_OR_RETURN(
      std::unique_ptr<ByteSource> plain,
      Decompress(std::make_unique<BorrowedSource>(stored), &format));
  compressed = !format.empty();
  absl::Status folded;
  std::string buffer(kPiece, '\0');
  while (true) {
    ASSIGN_OR_RETURN(const size_t count,
                     plain->Read(buffer.data(), buffer.size()));
    if (count == 0) {
      return folded;
    }
    const absl::string_view bytes(buffer.data(), count);
    size += count;
    if (compressed) {
      hasher.Update(bytes);  // A plain tar is hashed as it is stored.
    }
    if (fold != nullptr && folded.ok()) {
      folded = fold->Add(bytes);
    }
  }
}

}  // namespace

absl::StatusOr<LayerReading> ReadLayerTar(const LayerBlob& blob, Store& store,
                                          TarFold* fold) {
  ASSIGN_OR_RETURN(UniqueFd fd, store.OpenBlob(blob.digest));
  const std::unique_ptr<ByteSource> file = MakeFdSource(fd.get());
  HashingSource stored(*file);
  Hasher hasher;
  bool compressed = false;
  LayerReading reading;
  reading.content =
      ReadPlain(stored, compressed, hasher, reading.tar_size, fold);
  if (fold != nullptr) {
    reading.content.Update(fold->EndLayer());
  }
  RETURN_IF_ERROR(stored.Drain());
  reading.size = stored.count();
  reading.digest = stored.Finish();
  reading.diff_id = compressed ? hasher.Finish() : reading.digest;
  return reading;
}

}  // namespace lamina::backend
