#include "backend/formats/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "backend/formats/output_memo.h"
#include "backend/layer_writer.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kBufferSize = 1 << 20;

std::optional<Compression> CompressionOfName(absl::string_view dest) {
  if (absl::EndsWith(dest, ".tar.gz") || absl::EndsWith(dest, ".tgz")) {
    return Compression::kGzip;
  }
  if (absl::EndsWith(dest, ".tar.zst")) {
    return Compression::kZstd;
  }
  return std::nullopt;
}

// Follows a symlink, so that the file it names is replaced and not the link.
std::string FinalName(const std::string& dest) {
  char* real = realpath(dest.c_str(), nullptr);
  std::string path = real == nullptr ? dest : real;
  free(real);
  return path;
}

// What a new file gets under the caller's umask.
mode_t NewFileMode() {
  mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

// An unfinished file; removed unless it was renamed.
class PartialFile {
 public:
  explicit PartialFile(std::string path) : path_(std::move(path)) {}
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile() {
    if (!path_.empty()) {
      unlink(path_.c_str());
    }
  }
  const std::string& path() const { return path_; }
  absl::Status RenameTo(const std::string& final_name) {
    if (rename(path_.c_str(), final_name.c_str()) != 0) {
      return ErrnoError(absl::StrCat("rename to ", final_name));
    }
    path_.clear();
    return absl::OkStatus();
  }

 private:
  std::string path_;
};

absl::Status ReplaceByWriting(
    const std::string& final_name, std::optional<Compression> compression,
    const std::function<absl::Status(int fd)>& write) {
  std::string name = absl::StrCat(final_name, ".partial.XXXXXX");
  UniqueFd fd(mkostemp(name.data(), O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError("create a file beside it");
  }
  auto file = std::make_unique<PartialFile>(name);
  RETURN_IF_ERROR(write(fd.get()));
  if (compression.has_value()) {
    auto packed = std::make_unique<PartialFile>(name + ".packed");
    if (lseek(fd.get(), 0, SEEK_SET) != 0) {
      return ErrnoError("rewind");
    }
    LayerWriterOptions options;
    options.compression = *compression;
    RETURN_IF_ERROR(
        RecompressLayer(fd.get(), options, packed->path()).status());
    file = std::move(packed);
  }
  if (chmod(file->path().c_str(), NewFileMode()) != 0) {
    return ErrnoError("set its mode");
  }
  return file->RenameTo(final_name);
}

}  // namespace

absl::Status WriteOutput(const std::string& dest, const Digest& recipe,
                         Store& store,
                         const std::function<absl::Status(int fd)>& write) {
  std::string doing = absl::StrCat("while writing ", dest);
  if (dest == "-") {
    return Annotate(write(STDOUT_FILENO), "while writing to standard output");
  }
  struct stat status = {};
  bool exists = stat(dest.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(doing, ": it is a folder"));
  }
  if (exists && !S_ISREG(status.st_mode)) {
    absl::StatusOr<UniqueFd> fd = OpenFile(dest, O_WRONLY);
    return Annotate(fd.ok() ? write(fd->get()) : fd.status(), doing);
  }
  std::optional<Compression> compression = CompressionOfName(dest);
  Hasher hasher;
  hasher.Update(recipe.bytes.data(), recipe.bytes.size());
  hasher.UpdateField(compression ? CompressionName(*compression) : "");
  Digest whole = hasher.Finish();
  if (exists && IsRemembered(store.root(), dest, whole)) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(
      Annotate(ReplaceByWriting(FinalName(dest), compression, write), doing));
  return RememberOutput(store.root(), dest, whole);
}

absl::Status CopyBytes(int from, int to, uint64_t size) {
  loff_t offset = 0;
  auto copied = [&] { return static_cast<uint64_t>(offset); };
  while (copied() < size) {
    ssize_t count =
        copy_file_range(from, &offset, to, nullptr, size - copied(), 0);
    if (count <= 0) {
      break;
    }
  }
  // Pipes, other file systems and old kernels refuse; the plain way tells why.
  std::string buffer(std::min<uint64_t>(size - copied(), kBufferSize), '\0');
  while (copied() < size) {
    ssize_t count =
        pread(from, buffer.data(),
              std::min<uint64_t>(size - copied(), buffer.size()), offset);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return ErrnoError("read");
    }
    if (count == 0) {
      return absl::DataLossError(
          absl::StrCat("a file has ", copied(), " bytes instead of ", size));
    }
    RETURN_IF_ERROR(WriteAll(to, absl::string_view(buffer.data(), count)));
    offset += count;
  }
  return absl::OkStatus();
}

}  // namespace lamina::backend
