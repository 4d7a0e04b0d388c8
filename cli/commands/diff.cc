// lamina diff: what differs between two images.
#include <memory>

#include "absl/strings/str_cat.h"
#include "backend/image_diff.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/diff_text.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

constexpr Flag kDiffFlags[] = {
    {.name = "all", .help = "text: every path, also below new folders"},
    {.name = "format",
     .value = "FORMAT",
     .help = "text or json",
     .default_value = "text"},
    kRootFlag,
    {.name = "times", .help = "compare times of files and images too"},
};

// Exit code 1 says that two images differ, so a missing one has another.
absl::StatusOr<backend::Image> Find(backend::Store& store,
                                    const std::string& name) {
  absl::StatusOr<backend::Image> image = FindImage(store, name);
  return image.ok() ? std::move(image) : WithExitCode(image.status(), 3);
}

absl::StatusOr<int> RunDiff(const Invocation& invocation) {
  const std::string format = invocation.Get("format");
  if (format != "text" && format != "json") {
    return UsageError(
        absl::StrCat("`--format` takes text or json, not `", format, "`"));
  }
  const std::vector<std::string>& names = invocation.words();
  absl::StatusOr<std::unique_ptr<backend::Store>> store =
      OpenStoreWith(invocation, "image", names[0]);
  if (!store.ok()) {
    return WithExitCode(store.status(), 3);
  }
  ASSIGN_OR_RETURN(const backend::Image first, Find(**store, names[0]));
  ASSIGN_OR_RETURN(const backend::Image second, Find(**store, names[1]));
  ASSIGN_OR_RETURN(
      const backend::ImageDiff diff,
      DiffImages(first, second, invocation.GetBool("times"), **store));
  const std::string text =
      format == "json" ? PrintJson(DiffJson(diff)) + "\n"
                       : DiffText({names[0], &first}, {names[1], &second}, diff,
                                  invocation.GetBool("all"));
  RETURN_IF_ERROR(PrintResult(text));
  return diff.equal() ? 0 : 1;
}

}  // namespace

constinit const Command kDiff = {
    .name = "diff",
    .group = "Images",
    .summary = "show what differs between two images",
    .usage = "[FLAGS] IMAGE IMAGE",
    .flags = kDiffFlags,
    .min_words = 2,
    .max_words = 2,
    .words = Words::kImages,
    .description =
        "Compares files (type, mode, owner, content, links, xattrs), "
        "configurations and sizes of layers. Exit code 0: a container would "
        "see the same, however it is cut into layers; 1: it would not; 3: the "
        "images cannot be compared.",
    .examples =
        "lamina diff app:1 app:2\n"
        "lamina diff --times --format=json app:1 app:2",
    .run = RunDiff,
};

}  // namespace lamina::cli
