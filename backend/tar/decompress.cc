#include <archive.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/tar/symbol_finder.h"
#include "backend/tar/tar_reader.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kBuffer = 256 << 10;
constexpr size_t kMagic = 6;

// The bytes that were read to find the format, then the rest.
class PrefixSource : public ByteSource {
 public:
  PrefixSource(std::string prefix, std::unique_ptr<ByteSource> inner)
      : prefix_(std::move(prefix)), inner_(std::move(inner)) {}

  absl::StatusOr<size_t> Read(void* buffer, size_t size) override {
    if (position_ == prefix_.size()) {
      return inner_->Read(buffer, size);
    }
    size_t take = std::min(size, prefix_.size() - position_);
    memcpy(buffer, prefix_.data() + position_, take);
    position_ += take;
    return take;
  }

 private:
  std::string prefix_;
  size_t position_ = 0;
  std::unique_ptr<ByteSource> inner_;
};

// RFC 1952: members one after another, zeros may follow.
class GzipSource : public ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<ByteSource> inner)
      : inner_(std::move(inner)), input_(kBuffer, '\0') {
    // 16: gzip headers and trailers only; 15: the widest window.
    CHECK(inflateInit2(&stream_, 16 + 15) == Z_OK);
  }
  ~GzipSource() override { inflateEnd(&stream_); }

  absl::StatusOr<size_t> Read(void* buffer, size_t size) override {
    stream_.next_out = static_cast<Bytef*>(buffer);
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(size, 1 << 30));
    uInt room = stream_.avail_out;
    while (stream_.avail_out == room) {
      ASSIGN_OR_RETURN(bool more, Fill());
      if (!more) {
        return in_member_ ? absl::StatusOr<size_t>(absl::DataLossError(
                                "the gzip data ends in the middle of a member"))
                          : 0;
      }
      if (!in_member_ && *stream_.next_in == 0) {
        ++stream_.next_in;
        --stream_.avail_in;
        continue;
      }
      in_member_ = true;
      int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        in_member_ = false;
        inflateReset(&stream_);
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return absl::DataLossError(absl::StrCat(
            "corrupt gzip data: ",
            stream_.msg != nullptr ? stream_.msg : zError(result)));
      }
    }
    return room - stream_.avail_out;
  }

 private:
  absl::StatusOr<bool> Fill() {
    if (stream_.avail_in > 0) {
      return true;
    }
    ASSIGN_OR_RETURN(size_t got, inner_->Read(input_.data(), input_.size()));
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(got);
    return got > 0;
  }

  std::unique_ptr<ByteSource> inner_;
  std::string input_;
  z_stream stream_ = {};
  bool in_member_ = false;
};

// RFC 8878: frames one after another, skippable ones among them.
class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(std::unique_ptr<ByteSource> inner)
      : inner_(std::move(inner)),
        input_(kBuffer, '\0'),
        stream_(ZSTD_createDStream()) {}
  ~ZstdSource() override { ZSTD_freeDStream(stream_); }

  absl::StatusOr<size_t> Read(void* buffer, size_t size) override {
    ZSTD_outBuffer out = {buffer, size, 0};
    while (out.pos == 0) {
      // Bytes may still be inside the decoder when the input is at its end.
      size_t got = 0;
      if (in_.pos == in_.size) {
        ASSIGN_OR_RETURN(got, inner_->Read(input_.data(), input_.size()));
        in_ = {input_.data(), got, 0};
        if (got == 0 && !in_frame_) {
          return 0;
        }
      }
      size_t result = ZSTD_decompressStream(stream_, &out, &in_);
      if (ZSTD_isError(result) != 0) {
        return absl::DataLossError(
            absl::StrCat("corrupt zstd data: ", ZSTD_getErrorName(result)));
      }
      in_frame_ = result != 0;
      if (in_.size == 0 && in_frame_ && out.pos == 0) {
        return absl::DataLossError(
            "the zstd data ends in the middle of a frame");
      }
    }
    return out.pos;
  }

 private:
  std::unique_ptr<ByteSource> inner_;
  std::string input_;
  ZSTD_DStream* stream_;
  ZSTD_inBuffer in_ = {nullptr, 0, 0};
  bool in_frame_ = false;
};

// The functions of libarchive that we use. The library is loaded when the
// first xz or bzip2 file comes along: few builds meet one.
struct Libarchive {
  decltype(&archive_read_new) read_new;
  decltype(&archive_read_support_filter_xz) support_xz;
  decltype(&archive_read_support_filter_bzip2) support_bzip2;
  decltype(&archive_read_support_format_raw) support_raw;
  decltype(&archive_read_support_format_empty) support_empty;
  decltype(&archive_read_open) open;
  decltype(&archive_read_next_header) next_header;
  decltype(&archive_read_data) data;
  decltype(&archive_read_free) free;
  decltype(&archive_error_string) error_string;
  decltype(&archive_set_error) set_error;
};

constexpr char kLibarchive[] = "libarchive.so.13";

const Libarchive* LoadLibarchive() {
  static const Libarchive* loaded = []() -> const Libarchive* {
    static Libarchive table;
    SymbolFinder finder(kLibarchive);
    finder.Find(table.read_new, "archive_read_new");
    finder.Find(table.support_xz, "archive_read_support_filter_xz");
    finder.Find(table.support_bzip2, "archive_read_support_filter_bzip2");
    finder.Find(table.support_raw, "archive_read_support_format_raw");
    finder.Find(table.support_empty, "archive_read_support_format_empty");
    finder.Find(table.open, "archive_read_open");
    finder.Find(table.next_header, "archive_read_next_header");
    finder.Find(table.data, "archive_read_data");
    finder.Find(table.free, "archive_read_free");
    finder.Find(table.error_string, "archive_error_string");
    finder.Find(table.set_error, "archive_set_error");
    return finder.complete() ? &table : nullptr;
  }();
  return loaded;
}

class LibarchiveSource : public ByteSource {
 public:
  LibarchiveSource(const Libarchive& library, std::string format,
                   std::unique_ptr<ByteSource> inner)
      : library_(library),
        format_(std::move(format)),
        inner_(std::move(inner)),
        input_(kBuffer, '\0'),
        archive_(library.read_new()) {}
  ~LibarchiveSource() override { library_.free(archive_); }

  absl::StatusOr<size_t> Read(void* buffer, size_t size) override {
    if (!opened_) {
      opened_ = true;
      RETURN_IF_ERROR(Open());
    }
    if (ended_) {
      return 0;
    }
    la_ssize_t got = library_.data(archive_, buffer, size);
    if (got < 0) {
      return Error();
    }
    ended_ = got == 0;
    return static_cast<size_t>(got);
  }

 private:
  absl::Status Open() {
    library_.support_xz(archive_);
    library_.support_bzip2(archive_);
    library_.support_raw(archive_);
    library_.support_empty(archive_);
    if (library_.open(archive_, this, nullptr, ReadInner, nullptr) !=
        ARCHIVE_OK) {
      return Error();
    }
    archive_entry* entry = nullptr;
    int result = library_.next_header(archive_, &entry);
    ended_ = result == ARCHIVE_EOF;
    return result == ARCHIVE_OK || ended_ ? absl::OkStatus() : Error();
  }

  absl::Status Error() const {
    if (!inner_status_.ok()) {
      return inner_status_;
    }
    const char* text = library_.error_string(archive_);
    return absl::DataLossError(absl::StrCat(
        "corrupt ", format_, " data: ", text != nullptr ? text : "no reason"));
  }

  static la_ssize_t ReadInner(archive* handle, void* self,
                              const void** buffer) {
    auto* source = static_cast<LibarchiveSource*>(self);
    absl::StatusOr<size_t> got =
        source->inner_->Read(source->input_.data(), source->input_.size());
    if (!got.ok()) {
      source->inner_status_ = got.status();
      source->library_.set_error(handle, EIO, "read");
      return ARCHIVE_FATAL;
    }
    *buffer = source->input_.data();
    return static_cast<la_ssize_t>(*got);
  }

  const Libarchive& library_;
  std::string format_;
  std::unique_ptr<ByteSource> inner_;
  std::string input_;
  archive* archive_;
  absl::Status inner_status_;
  bool opened_ = false;
  bool ended_ = false;
};

std::string FindFormat(absl::string_view magic) {
  if (absl::StartsWith(magic, "\x1f\x8b")) {
    return "gzip";
  }
  // A skippable frame may come first: 0x184D2A50 to 0x184D2A5F.
  bool skippable = magic.size() >= 4 && (magic[0] & 0xf0) == 0x50 &&
                   magic.substr(1, 3) == "\x2a\x4d\x18";
  if (absl::StartsWith(magic, "\x28\xb5\x2f\xfd") || skippable) {
    return "zstd";
  }
  if (absl::StartsWith(magic, absl::string_view("\xfd"
                                                "7zXZ\0",
                                                6))) {
    return "xz";
  }
  bool level = magic.size() >= 4 && magic[3] >= '1' && magic[3] <= '9';
  return absl::StartsWith(magic, "BZh") && level ? "bzip2" : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> Decompress(
    std::unique_ptr<ByteSource> inner, std::string* format) {
  std::string magic(kMagic, '\0');
  size_t have = 0;
  while (have < kMagic) {
    ASSIGN_OR_RETURN(size_t got, inner->Read(&magic[have], kMagic - have));
    if (got == 0) {
      break;
    }
    have += got;
  }
  magic.resize(have);
  *format = FindFormat(magic);
  auto whole =
      std::make_unique<PrefixSource>(std::move(magic), std::move(inner));
  if (*format == "gzip") {
    return std::make_unique<GzipSource>(std::move(whole));
  }
  if (*format == "zstd") {
    return std::make_unique<ZstdSource>(std::move(whole));
  }
  if (format->empty()) {
    return whole;
  }
  const Libarchive* library = LoadLibarchive();
  if (library == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("reading ", *format, " needs ", kLibarchive,
                     ", which is not on this machine; install libarchive13"));
  }
  return std::make_unique<LibarchiveSource>(*library, *format,
                                            std::move(whole));
}

}  // namespace lamina::backend
