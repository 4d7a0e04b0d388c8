#include "cli/named_contexts.h"

#include <sys/stat.h>

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "backend/formats/formats.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/context_input.h"
#include "cli/ignore_input.h"

namespace lamina::cli {
namespace {

// `docker-image:X` and `docker-image://X` are one.
bool ConsumeKind(absl::string_view kind, absl::string_view& text) {
  if (!absl::ConsumePrefix(&text, absl::StrCat(kind, ":"))) {
    return false;
  }
  absl::ConsumePrefix(&text, "//");
  return true;
}

class ContextReader {
 public:
  ContextReader(const Invocation& invocation, RemoteAccess& remote,
                BuildInput& input)
      : invocation_(invocation), remote_(remote), input_(input) {}

  absl::Status Read(const std::string& text) {
    size_t equals = text.find('=');
    name_ = text.substr(0, equals);
    if (equals == std::string::npos || name_.empty() ||
        equals + 1 == text.size()) {
      return UsageError(absl::StrCat(
          "--build-context takes NAME=FOLDER|IMAGE|URL, not `", text, "`"));
    }
    absl::string_view value = absl::string_view(text).substr(equals + 1);
    absl::string_view rest = value;
    if (ConsumeKind("docker-image", rest)) {
      return AddImage(rest);
    }
    if (ConsumeKind("oci-layout", rest)) {
      return AddLayout(rest);
    }
    if (ConsumeKind("target", rest)) {
      return UsageError(
          absl::StrCat("--build-context ", name_,
                       ": a target belongs to a bake file; build "
                       "it with `-t NAME`, then write docker-image:NAME"));
    }
    if (ConsumeKind("local", rest)) {
      return AddFolder(std::string(rest));
    }
    if (!IsFolder(std::string(value)) && IsRemoteContext(std::string(value))) {
      return AddRemote(std::string(value));
    }
    return AddFolder(std::string(value));
  }

 private:
  static bool IsFolder(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  }

  absl::Status Wrong(absl::string_view message) const {
    return UsageError(absl::StrCat("--build-context ", name_, ": ", message));
  }

  void Add(frontend::NamedContext context) {
    input_.frontend.named_contexts[name_] = std::move(context);
  }

  absl::Status AddFolder(const std::string& path) {
    if (!IsFolder(path)) {
      return Wrong(absl::StrCat("there is no folder `", path,
                                "`; an image is named docker-image:NAME"));
    }
    backend::LocalContext context;
    context.path = path;
    ASSIGN_OR_RETURN(context.ignore, FindIgnores("", "", path, input_.file_mistakes));
    input_.plan.contexts[name_] = std::move(context);
    Add({});
    return absl::OkStatus();
  }

  absl::Status AddImage(absl::string_view text) {
    if (text == "scratch") {
      Add({.kind = frontend::NamedContext::Kind::kScratch});
      return absl::OkStatus();
    }
    absl::StatusOr<ir::ImageReference> image = ir::ImageReference::Parse(text);
    if (!image.ok()) {
      return Wrong(image.status().message());
    }
    Add({.kind = frontend::NamedContext::Kind::kImage,
         .image = *std::move(image)});
    return absl::OkStatus();
  }

  // PATH[@DIGEST] or PATH[:TAG].
  absl::Status AddLayout(absl::string_view text) {
    std::string path(text);
    std::string wanted;
    size_t mark = text.find('@');
    if (mark == absl::string_view::npos && !IsFolder(path)) {
      mark = text.rfind(':');
    }
    if (mark != absl::string_view::npos) {
      path = std::string(text.substr(0, mark));
      wanted = std::string(text.substr(mark + 1));
    }
    if (!FileExists(JoinPath(path, "index.json"))) {
      return Wrong(absl::StrCat("`", path,
                                "` is no OCI layout: it has no "
                                "index.json"));
    }
    ASSIGN_OR_RETURN(backend::Store * store, remote_.GetStore());
    backend::Store* into = remote_.writes() ? store : nullptr;
    absl::StatusOr<Digest> image = backend::LoadLayout(path, wanted, into);
    if (!image.ok()) {
      return Annotate(image.status(),
                      absl::StrCat("--build-context ", name_, ": ", path));
    }
    // A name of its own, as the image may have none.
    ir::ImageReference reference = {
        .domain = "oci-layout", .path = "image", .digest = image->ToString()};
    input_.layout_images[reference.Full()] = *image;
    Add({.kind = frontend::NamedContext::Kind::kImage,
         .image = std::move(reference)});
    return absl::OkStatus();
  }

  absl::Status AddRemote(const std::string& url) {
    absl::StatusOr<ContextInput> fetched =
        OpenRemoteContext(url, invocation_, input_.resources, remote_);
    if (!fetched.ok()) {
      return WithContext(fetched.status());
    }
    if (fetched->build_file.has_value()) {
      // One file, under the name that its URL gives it.
      RETURN_IF_ERROR(ReplaceFile(JoinPath(fetched->folder, fetched->file_name),
                                  *fetched->build_file, 0600, false));
    }
    backend::LocalContext context;
    context.path = fetched->folder;
    context.commit = fetched->commit;
    context.commit_time = fetched->commit_time;
    input_.plan.contexts[name_] = std::move(context);
    input_.kept_folders.push_back(std::move(fetched->unpacked));
    Add({});
    return absl::OkStatus();
  }

  absl::Status WithContext(const absl::Status& status) const {
    return WithExitCode(
        Annotate(status, absl::StrCat("--build-context ", name_)),
        ExitCodeOf(status));
  }

  const Invocation& invocation_;
  RemoteAccess& remote_;
  BuildInput& input_;
  std::string name_;
};

}  // namespace

absl::Status ReadNamedContexts(const Invocation& invocation,
                               RemoteAccess& remote, BuildInput& input) {
  for (const std::string& text : invocation.GetAll("build-context")) {
    RETURN_IF_ERROR(ContextReader(invocation, remote, input).Read(text));
  }
  return absl::OkStatus();
}

}  // namespace lamina::cli
