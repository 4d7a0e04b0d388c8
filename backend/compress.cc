#include "backend/compress.h"

#include <isa-l.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backend/tar/symbol_finder.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

// More than deflate ever needs for a chunk that cannot be compressed.
size_t PackedBound(size_t size) { return size + size / 16 + 1024; }

constexpr size_t kZstdRoom = 1 << 20;
constexpr int kZstdMaxThreads = 8;
// Fixed, because the borders of jobs show in the output.
constexpr int kZstdJobSize = 2 << 20;

void Prepare(absl::string_view chunk, Packed& packed) {
  size_t bound = PackedBound(chunk.size());
  packed.buffer.resize(std::max(packed.buffer.size(), bound));
  packed.size = 0;
  packed.crc = 0;
}

// The functions of ISA-L that we use. There is no static archive of it, and
// few runs compress: the library is loaded at first use.
struct IsaL {
  decltype(&isal_deflate_init) deflate_init;
  decltype(&isal_deflate) deflate;
  decltype(&crc32_gzip_refl) crc;
};

constexpr char kIsaL[] = "libisal.so.2";

const IsaL* LoadIsaL() {
  static const IsaL* loaded = []() -> const IsaL* {
    static IsaL table;
    SymbolFinder finder(kIsaL);
    finder.Find(table.deflate_init, "isal_deflate_init");
    finder.Find(table.deflate, "isal_deflate");
    finder.Find(table.crc, "crc32_gzip_refl");
    return finder.complete() ? &table : nullptr;
  }();
  return loaded;
}

class IsaLDeflater : public Deflater {
 public:
  IsaLDeflater(const IsaL& library, uint32_t level)
      : library_(library), level_(level) {
    constexpr size_t kSizes[] = {0, ISAL_DEF_LVL1_DEFAULT,
                                 ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};
    scratch_.resize(kSizes[level]);
  }

  void Compress(absl::string_view chunk, Packed& packed) override {
    // The structure has no const pointer, but the bytes are only read.
    auto* bytes = reinterpret_cast<uint8_t*>(const_cast<char*>(chunk.data()));
    Prepare(chunk, packed);
    if (chunk.empty()) {
      return;
    }
    library_.deflate_init(&stream_);
    stream_.level = level_;
    stream_.level_buf = reinterpret_cast<uint8_t*>(scratch_.data());
    stream_.level_buf_size = static_cast<uint32_t>(scratch_.size());
    stream_.flush = SYNC_FLUSH;
    stream_.next_in = bytes;
    stream_.avail_in = static_cast<uint32_t>(chunk.size());
    stream_.next_out = reinterpret_cast<uint8_t*>(packed.buffer.data());
    stream_.avail_out = static_cast<uint32_t>(packed.buffer.size());
    CHECK(library_.deflate(&stream_) == COMP_OK);
    CHECK(stream_.avail_in == 0 && stream_.avail_out > 0);
    packed.size = stream_.total_out;
    packed.crc = library_.crc(0, bytes, chunk.size());
  }

 private:
  const IsaL& library_;
  uint32_t level_;
  std::string scratch_;
  isal_zstream stream_ = {};
};

class ZlibDeflater : public Deflater {
 public:
  explicit ZlibDeflater(int level) {
    // -15: no header, the widest window.
    CHECK(deflateInit2(&stream_, level, Z_DEFLATED, -15, 8,
                       Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~ZlibDeflater() override { deflateEnd(&stream_); }

  void Compress(absl::string_view chunk, Packed& packed) override {
    auto* bytes = reinterpret_cast<Bytef*>(const_cast<char*>(chunk.data()));
    Prepare(chunk, packed);
    if (chunk.empty()) {
      return;
    }
    CHECK(deflateReset(&stream_) == Z_OK);
    stream_.next_in = bytes;
    stream_.avail_in = static_cast<uInt>(chunk.size());
    stream_.next_out = reinterpret_cast<Bytef*>(packed.buffer.data());
    stream_.avail_out = static_cast<uInt>(packed.buffer.size());
    CHECK(deflate(&stream_, Z_SYNC_FLUSH) == Z_OK);
    CHECK(stream_.avail_in == 0 && stream_.avail_out > 0);
    packed.size = stream_.total_out;
    packed.crc = static_cast<uint32_t>(crc32_z(0, bytes, chunk.size()));
  }

 private:
  z_stream stream_ = {};
};

// The functions of zstd that we use. Debian's static archive has no threads
// and another output; the shared library is loaded at first use.
struct Zstd {
  decltype(&ZSTD_createCCtx) create;
  decltype(&ZSTD_freeCCtx) free;
  decltype(&ZSTD_CCtx_setParameter) set;
  decltype(&ZSTD_compressStream2) compress;
  decltype(&ZSTD_isError) is_error;
  decltype(&ZSTD_getErrorName) error_name;
  decltype(&ZSTD_maxCLevel) max_level;
};

constexpr char kZstd[] = "libzstd.so.1";

const Zstd* LoadZstd() {
  static const Zstd* loaded = []() -> const Zstd* {
    static Zstd table;
    SymbolFinder finder(kZstd);
    finder.Find(table.create, "ZSTD_createCCtx");
    finder.Find(table.free, "ZSTD_freeCCtx");
    finder.Find(table.set, "ZSTD_CCtx_setParameter");
    finder.Find(table.compress, "ZSTD_compressStream2");
    finder.Find(table.is_error, "ZSTD_isError");
    finder.Find(table.error_name, "ZSTD_getErrorName");
    finder.Find(table.max_level, "ZSTD_maxCLevel");
    return finder.complete() ? &table : nullptr;
  }();
  return loaded;
}

class ZstdStream : public ZstdCompressor {
 public:
  explicit ZstdStream(const Zstd& library)
      : library_(library), context_(library.create()) {}
  ~ZstdStream() override { library_.free(context_); }

  absl::Status Configure(int level, int threads) {
    RETURN_IF_ERROR(Set(ZSTD_c_compressionLevel, level));
    RETURN_IF_ERROR(Set(ZSTD_c_checksumFlag, 0));
    // Never 0: without workers the bytes are others.
    RETURN_IF_ERROR(
        Set(ZSTD_c_nbWorkers, std::clamp(threads, 1, kZstdMaxThreads)));
    return Set(ZSTD_c_jobSize, kZstdJobSize);
  }

  absl::Status Compress(absl::string_view chunk, bool last,
                        Packed& packed) override {
    packed.size = 0;
    ZSTD_inBuffer in = {chunk.data(), chunk.size(), 0};
    ZSTD_EndDirective mode = last ? ZSTD_e_end : ZSTD_e_continue;
    while (true) {
      if (packed.buffer.size() - packed.size < kZstdRoom / 4) {
        packed.buffer.resize(packed.buffer.size() + kZstdRoom);
      }
      ZSTD_outBuffer out = {packed.buffer.data(), packed.buffer.size(),
                            packed.size};
      size_t left = library_.compress(context_, &out, &in, mode);
      RETURN_IF_ERROR(ToStatus(left));
      packed.size = out.pos;
      if (last ? left == 0 : in.pos == in.size) {
        return absl::OkStatus();
      }
    }
  }

 private:
  absl::Status Set(ZSTD_cParameter parameter, int value) {
    return ToStatus(library_.set(context_, parameter, value));
  }
  absl::Status ToStatus(size_t result) const {
    return library_.is_error(result) != 0
               ? absl::InternalError(
                     absl::StrCat("zstd: ", library_.error_name(result)))
               : absl::OkStatus();
  }

  const Zstd& library_;
  ZSTD_CCtx* context_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Deflater>> Deflater::Create(int level) {
  level = level == -1 ? 1 : level;
  if (level < 1 || level > 9) {
    return absl::InvalidArgumentError(
        absl::StrCat("gzip has no level ", level, "; levels are 1 to 9"));
  }
  if (level > 3) {
    return std::make_unique<ZlibDeflater>(level);
  }
  const IsaL* library = LoadIsaL();
  if (library == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "gzip level ", level, " needs ", kIsaL,
        ", which is not on this machine; install libisal2, or choose a level "
        "from 4 to 9"));
  }
  return std::make_unique<IsaLDeflater>(*library, static_cast<uint32_t>(level));
}

absl::string_view GzipHeader() {
  return absl::string_view("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
}

std::string GzipTrailer(uint32_t crc, uint64_t size) {
  std::string out("\x03\x00", 2);
  for (uint64_t value : {uint64_t{crc}, size}) {
    for (int shift = 0; shift < 32; shift += 8) {
      out.push_back(static_cast<char>(value >> shift));
    }
  }
  return out;
}

uint32_t CombineCrc(uint32_t first, uint32_t second, uint64_t second_size) {
  return static_cast<uint32_t>(
      crc32_combine(first, second, static_cast<z_off_t>(second_size)));
}

absl::StatusOr<std::unique_ptr<ZstdCompressor>> ZstdCompressor::Create(
    int level, int threads) {
  const Zstd* library = LoadZstd();
  if (library == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("zstd needs ", kZstd,
                     ", which is not on this machine; install libzstd1"));
  }
  level = level == -1 ? ZSTD_CLEVEL_DEFAULT : level;
  if (level < 1 || level > library->max_level()) {
    return absl::InvalidArgumentError(absl::StrCat("zstd has no level ", level,
                                                   "; levels are 1 to ",
                                                   library->max_level()));
  }
  auto compressor = std::make_unique<ZstdStream>(*library);
  RETURN_IF_ERROR(compressor->Configure(level, threads));
  return compressor;
}

}  // namespace lamina::backend
