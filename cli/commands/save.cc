// lamina save
#include <unistd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "backend/formats/formats.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/image_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kSaveFlags[] = {
    {.name = "format",
     .value = "FORMAT",
     .help = "docker-archive, oci-archive or oci-dir",
     .default_value = "docker-archive"},
    {.name = "output",
     .short_name = 'o',
     .value = "FILE",
     .help = "write to FILE",
     .default_value = "-"},
    kRootFlag,
};

absl::StatusOr<backend::ExportOptions> ReadOptions(
    const Invocation& invocation) {
  backend::ExportOptions options;
  options.dest = invocation.Get("output");
  const std::string format = invocation.Get("format");
  if (format == "docker-archive") {
    options.type = "docker";
  } else if (format == "oci-archive" || format == "oci-dir") {
    options.type = "oci";
    options.tar = format == "oci-archive";
  } else {
    return UsageError(absl::StrCat(
        "`--format` takes docker-archive, oci-archive or oci-dir, not `",
        format, "`"));
  }
  if (options.dest == "-" && !options.tar) {
    return UsageError("a folder needs a place; name it with -o");
  }
  if (options.dest == "-" && isatty(STDOUT_FILENO) == 1) {
    return UsageError(
        "an archive is not for a terminal; use -o FILE or a pipe");
  }
  return options;
}

// Each image once, under all the names it was asked for by; an id alone gives
// an image without a name, as in docker.
absl::StatusOr<std::vector<backend::ExportImage>> CollectImages(
    const std::vector<std::string>& words, backend::Store& store) {
  std::vector<backend::ExportImage> images;
  ASSIGN_OR_RETURN(NamesOfImages all, CollectNames(store));
  for (const std::string& word : words) {
    ASSIGN_OR_RETURN(backend::Image image, FindImage(store, word));
    size_t place = 0;
    while (place < images.size() && images[place].image.id != image.id) {
      ++place;
    }
    if (place == images.size()) {
      images.push_back({.image = image});
    }
    const absl::StatusOr<ir::ImageReference> name =
        ir::ImageReference::Parse(word);
    for (const ir::ImageReference& known : all[image.id]) {
      if (name.ok() && known == *name && !known.tag.empty()) {
        images[place].names.push_back(known);
      }
    }
  }
  return images;
}

absl::StatusOr<int> RunSave(const Invocation& invocation) {
  ASSIGN_OR_RETURN(backend::ExportOptions options, ReadOptions(invocation));
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreWith(invocation, "image", invocation.words()[0]));
  ASSIGN_OR_RETURN(std::vector<backend::ExportImage> images,
                   CollectImages(invocation.words(), *store));
  const backend::Format* format = backend::FindFormat(options.type);
  CHECK(format != nullptr);
  RETURN_IF_ERROR(format->write(images, *store, options));
  return 0;
}

}  // namespace

constinit const Command kSave = {
    .name = "save",
    .group = "Images",
    .summary = "write images to an archive",
    .usage = "[FLAGS] IMAGE...",
    .flags = kSaveFlags,
    .min_words = 1,
    .max_words = -1,
    .words = Words::kImages,
    .examples =
        "lamina save -o app.tar app:1.0\n"
        "lamina save app:1.0 | podman load",
    .run = RunSave,
};

}  // namespace lamina::cli
