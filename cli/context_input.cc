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
#include "base/text.h"
#include "base/url.h"
#include "ir/remote_source.h"

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
  input.foreign = true;
  absl::StatusOr<std::unique_ptr<backend::ByteSource>> plain = OpenPlain(fd);
  absl::Status status = plain.status();
  if (status.ok()) {
    status = backend::UnpackLayer(**plain, {}, {}, input.folder).status();
  }
  return Annotate(status, absl::StrCat("while unpacking the context ", shown));
}

// A Dockerfile without a context.
absl::Status UseBuildFile(const std::string& path, const std::string& name,
                          ContextInput& input) {
  ASSIGN_OR_RETURN(input.build_file, ReadFile(path, kMaxBuildFile));
  ASSIGN_OR_RETURN(TempDir empty, TempDir::Create());
  input.unpacked = std::make_shared<TempDir>(std::move(empty));
  input.folder = input.unpacked->path();
  input.file_name = name;
  return absl::OkStatus();
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
  RETURN_IF_ERROR(UseBuildFile(path, "<stdin>", input));
  return input;
}

// What the user has to mend, against what the world has done.
absl::Status FetchError(const absl::Status& status) {
  bool world = absl::IsUnavailable(status) || absl::IsCancelled(status) ||
               absl::IsResourceExhausted(status);
  return WithExitCode(
      Annotate(status, "while fetching the build context"), world ? 3 : 1);
}

bool IsTrue(const Invocation& invocation, absl::string_view argument) {
  for (const std::string& text : invocation.GetAll("build-arg")) {
    if (text == absl::StrCat(argument, "=1") ||
        text == absl::StrCat(argument, "=true")) {
      return true;
    }
  }
  return false;
}

constexpr absl::string_view kGitHub = "github.com/";

absl::StatusOr<ContextInput> OpenGitContext(const std::string& word,
                                            const Invocation& invocation,
                                            backend::RemoteSources& sources) {
  ir::UrlMistake mistake;
  std::string url = absl::StartsWith(word, kGitHub)
                        ? absl::StrCat("https://", word)
                        : word;
  absl::StatusOr<ir::GitUrl> parsed = ir::ParseGitUrl(url, mistake);
  if (!parsed.ok()) {
    return UsageError(absl::StrCat("the build context `", HidePassword(word),
                                   "` ", parsed.status().message()));
  }
  parsed->tree.keep_git =
      parsed->tree.keep_git ||
      IsTrue(invocation, "BUILDKIT_CONTEXT_KEEP_GIT_DIR");
  absl::StatusOr<backend::RemoteState> state = sources.FetchOne(parsed->tree);
  if (!state.ok()) {
    return FetchError(state.status());
  }
  ContextInput input;
  input.folder = state->folder;
  input.foreign = true;
  input.remote = true;
  input.commit = true;
  if (parsed->tree.commit_times) {
    input.commit_time = state->commit_time;
  }
  input.time = state->commit_time;
  return input;
}

absl::StatusOr<ContextInput> OpenUrlContext(const std::string& word,
                                            backend::Store& store,
                                            backend::RemoteSources& sources) {
  ir::UrlMistake mistake;
  absl::StatusOr<ir::RemoteFile> file = ir::ParseFileUrl(word, mistake);
  if (!file.ok()) {
    return UsageError(absl::StrCat("the build context `", HidePassword(word),
                                   "` ", file.status().message()));
  }
  absl::StatusOr<backend::RemoteState> state = sources.FetchOne(*file);
  if (!state.ok()) {
    return FetchError(state.status());
  }
  ASSIGN_OR_RETURN(Url url, Url::Parse(word));
  ContextInput input;
  input.remote = true;
  std::string path = store.BlobPath(state->content);
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  RETURN_IF_ERROR(IsArchive(fd.get()) ? Unpack(fd.get(), url.Shown(), input)
                                      : UseBuildFile(path, file->name, input));
  if (state->mtime != 0) {
    input.time = state->mtime;
  }
  return input;
}

}  // namespace

bool IsRemoteContext(const std::string& word) {
  return ir::IsGitSource(word) || ir::IsHttpSource(word) ||
         ir::IsOtherUrl(word) || absl::StartsWith(word, kGitHub);
}

absl::StatusOr<ContextInput> OpenRemoteContext(
    const std::string& word, const Invocation& invocation,
    const backend::RunResources& resources, RemoteAccess& remote) {
  if (ir::IsOtherUrl(word)) {
    return UsageError(absl::StrCat(
        "`", word.substr(0, word.find("://")),
        "://` is not fetched; a context comes by http, https, git or ssh"));
  }
  ASSIGN_OR_RETURN(backend::Store * store, remote.GetStore());
  ASSIGN_OR_RETURN(backend::RemoteSources * sources,
                   remote.GetSources(invocation, resources));
  if (store == nullptr) {
    return UserError(absl::StrCat("the context `", HidePassword(word),
                                  "` was never fetched, and nothing is "
                                  "fetched here; build it once"));
  }
  return ir::IsGitSource(word) || absl::StartsWith(word, kGitHub)
             ? OpenGitContext(word, invocation, *sources)
             : OpenUrlContext(word, *store, *sources);
}

absl::StatusOr<ContextInput> OpenContext(
    const std::string& word, const Invocation& invocation,
    const backend::RunResources& resources, RemoteAccess& remote) {
  if (word == "-") {
    return OpenInput();
  }
  struct stat info;
  bool there = stat(word.c_str(), &info) == 0;
  if (IsRemoteContext(word) && !(there && S_ISDIR(info.st_mode))) {
    return OpenRemoteContext(word, invocation, resources, remote);
  }
  if (!there) {
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
