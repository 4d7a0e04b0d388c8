// lamina load
#include <memory>

#include "absl/strings/str_cat.h"
#include "backend/formats/formats.h"
#include "base/status.h"
#include "cli/archive_input.h"
#include "cli/command.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kLoadFlags[] = {
    {.name = "input",
     .short_name = 'i',
     .value = "FILE",
     .help = "read FILE instead of stdin",
     .default_value = "-"},
    {.name = "quiet",
     .short_name = 'q',
     .help = "print the ids of the images only"},
    kRootFlag,
};

std::string Describe(const backend::LoadedImage& image, bool quiet) {
  if (quiet) {
    return absl::StrCat(image.id.ToString(), "\n");
  }
  if (image.names.empty()) {
    return absl::StrCat("Loaded image ID: ", image.id.ToString(), "\n");
  }
  std::string text;
  for (const ir::ImageReference& name : image.names) {
    absl::StrAppend(&text, "Loaded image: ", name.Familiar(), "\n");
  }
  return text;
}

absl::StatusOr<int> RunLoad(const Invocation& invocation) {
  const std::string path = invocation.Get("input");
  ASSIGN_OR_RETURN(ArchiveInput input, OpenArchive(path));
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStore(invocation));
  absl::StatusOr<std::vector<backend::LoadedImage>> images =
      backend::LoadArchive(*input.source, *store);
  if (!images.ok()) {
    return Annotate(images.status(),
                    absl::StrCat("while loading ",
                                 path == "-" ? std::string("stdin") : path));
  }
  for (const backend::LoadedImage& image : *images) {
    RETURN_IF_ERROR(PrintResult(Describe(image, invocation.GetBool("quiet"))));
  }
  return 0;
}

}  // namespace

constinit const Command kLoad = {
    .name = "load",
    .group = "Images",
    .summary = "read images from an archive",
    .usage = "[FLAGS]",
    .flags = kLoadFlags,
    .description =
        "Reads archives of docker, podman, skopeo and lamina, plain "
        "or compressed.",
    .examples =
        "lamina load -i app.tar\n"
        "podman save app | lamina load",
    .run = RunLoad,
};

}  // namespace lamina::cli
