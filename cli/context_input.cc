#include "cli/context_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/tar/tar_reader.h"
#include "backend/unpack.h"
#include "base/status.h"
#include "cli/command.h"

namespace lamina::cli {
namespace {

constexpr size_t kMaxBuildFile = 64 << 20;  // Bytes.

// Standard input can be read once only, and which kind it is stands at its
// start: it goes to a file first.
absl::Status SpoolInput(const std::string& path) {
  if (isatty(STDIN_FILENO) == 1) {
    return UsageError("stdin is a terminal; name a folder or use a pipe");
  }
  ASSIGN_OR_RETURN(UniqueFd out,
                   OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  std::string buffer(1 << 20, '\0');
  while (true) {
    ASSIGN_OR_RETURN(size_t size,
                     ReadFull(STDIN_FILENO, buffer.data(), buffer.size()));
    RETURN_IF_ERROR(WriteAll(out.get(), {buffer.data(), size}));
    if (size < buffer.size()) {
      return absl::OkStatus();
    }
  }
}

absl::StatusOr<std::unique_ptr<backend::ByteSource>> OpenPlain(int fd) {
  if (lseek(fd, 0, SEEK_SET) != 0) {
    return ErrnoError("read the archive from its start");
  }
  std::string format;
  return backend::Decompress(backend::MakeFdSource(fd), &format);
}

// True for a tar, whatever it is compressed with.
bool IsArchive(int fd) {
  absl::StatusOr<std::unique_ptr<backend::ByteSource>> plain = OpenPlain(fd);
  if (!plain.ok()) {
    return true;  // Damaged; the unpacking says how.
  }
  char header[512];
  size_t filled = 0;
  while (filled < sizeof header) {
    absl::StatusOr<size_t> size =
        (*plain)->Read(header + filled, sizeof header - filled);
    if (!size.ok() || *size == 0) {
      break;
    }
    filled += *size;
  }
  return filled == sizeof header &&
         absl::string_view(header + 257, 5) == "ustar";
}

absl::Status Unpack(int fd, const std::string& shown, ContextInput& input) {
  ASSIGN_OR_RETURN(TempDir folder, TempDir::Create());
  input.unpacked = std::make_shared<TempDir>(std::move(folder));
  input.folder = JoinPath(input.unpacked->path(), "context");
  absl::StatusOr<std::unique_ptr<backend::ByteSource>> plain = OpenPlain(fd);
  absl::Status status = plain.status();
  if (status.ok()) {
    status = backend::UnpackLayer(**plain, {}, {}, input.folder).status();
  }
  return Annotate(status, absl::StrCat("while unpacking the context ", shown));
}

absl::StatusOr<ContextInput> OpenInput() {
  ContextInput input;
  ASSIGN_OR_RETURN(TempDir spool, TempDir::Create());
  std::string path = JoinPath(spool.path(), "input");
  RETURN_IF_ERROR(SpoolInput(path));
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  if (IsArchive(fd.get())) {
    RETURN_IF_ERROR(Unpack(fd.get(), "on standard input", input));
    return input;
  }
  // A Dockerfile without a context.
  ASSIGN_OR_RETURN(input.build_file, ReadFile(path, kMaxBuildFile));
  ASSIGN_OR_RETURN(TempDir empty, TempDir::Create());
  input.unpacked = std::make_shared<TempDir>(std::move(empty));
  input.folder = input.unpacked->path();
  return input;
}

}  // namespace

absl::StatusOr<ContextInput> OpenContext(const std::string& word) {
  if (word == "-") {
    return OpenInput();
  }
  if (absl::StrContains(word, "://") || absl::StartsWith(word, "git@")) {
    return UsageError(
        "the build context must be a folder or an archive; URLs and git "
        "repositories cannot be contexts yet");
  }
  struct stat info;
  if (stat(word.c_str(), &info) != 0) {
    return UsageError(
        absl::StrCat("the build context `", word, "` is not there"));
  }
  ContextInput input;
  if (S_ISDIR(info.st_mode)) {
    input.folder = word;
    return input;
  }
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(word, O_RDONLY));
  if (!S_ISREG(info.st_mode) || !IsArchive(fd.get())) {
    return UsageError(absl::StrCat("the build context `", word,
                                   "` is neither a folder nor a tar archive; "
                                   "a build file is named with -f"));
  }
  RETURN_IF_ERROR(Unpack(fd.get(), word, input));
  return input;
}

}  // namespace lamina::cli
