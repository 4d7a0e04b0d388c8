// lamina import: a root file system becomes an image.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "backend/formats/formats.h"
#include "base/status.h"
#include "cli/archive_input.h"
#include "cli/command.h"
#include "cli/config_change.h"
#include "cli/image_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kImportFlags[] = {
    kChangeFlag,
    {.name = "message",
     .short_name = 'm',
     .value = "TEXT",
     .help = "comment in the history"},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "what the files were made for (default: this host)"},
    kRootFlag,
};

absl::Status SetPlatform(const std::string& platform, ir::ImageConfig& config) {
  const std::vector<std::string> parts = absl::StrSplit(platform, '/');
  if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() ||
      parts[1].empty()) {
    return UsageError(absl::StrCat("`--platform` takes OS/ARCH[/VARIANT], ",
                                   "not `", platform, "`"));
  }
  config.os = parts[0];
  config.architecture = parts[1];
  config.variant = parts.size() == 3 ? parts[2] : "";
  return absl::OkStatus();
}

absl::StatusOr<int> RunImport(const Invocation& invocation) {
  const std::vector<std::string>& words = invocation.words();
  if (absl::StartsWith(words[0], "http://") ||
      absl::StartsWith(words[0], "https://")) {
    return UsageError(
        absl::StrCat("`", words[0], "` is a URL: import does not use the ",
                     "network; download it and pass the file or `-`"));
  }
  ir::ImageConfig config;
  if (invocation.Has("platform")) {
    RETURN_IF_ERROR(SetPlatform(invocation.Get("platform"), config));
  }
  RETURN_IF_ERROR(ApplyChanges(invocation.GetAll("change"), config));
  std::vector<ir::ImageReference> names;
  if (words.size() == 2) {
    ASSIGN_OR_RETURN(ir::ImageReference name, ReadImageName(words[1]));
    names.push_back(std::move(name));
  }
  ASSIGN_OR_RETURN(ArchiveInput input, OpenArchive(words[0]));
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStore(invocation));
  const std::string message = invocation.Has("message")
                                  ? invocation.Get("message")
                                  : absl::StrCat("Imported from ", words[0]);
  ASSIGN_OR_RETURN(backend::Image image,
                   backend::ImportRootFs(*input.source, *store, config, message,
                                         names, Now()));
  RETURN_IF_ERROR(PrintResult(absl::StrCat(image.id.ToString(), "\n")));
  return 0;
}

}  // namespace

constinit const Command kImport = {
    .name = "import",
    .group = "Images",
    .summary = "make an image of a root file system archive",
    .usage = "[FLAGS] FILE|- [NAME]",
    .flags = kImportFlags,
    .min_words = 1,
    .max_words = 2,
    .examples = "lamina import -c 'CMD [\"/bin/sh\"]' rootfs.tar.gz base:1",
    .run = RunImport,
};

}  // namespace lamina::cli
