// lamina history
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/image_text.h"
#include "cli/list_format.h"
#include "cli/store_access.h"
#include "cli/waste_text.h"

namespace lamina::cli {
namespace {

constexpr size_t kCreatedByWidth = 45;  // As docker cuts it.

constexpr Flag kHistoryFlags[] = {
    kListFormatFlag,
    {.name = "human",
     .short_name = 'H',
     .help = "sizes and ages for people",
     .default_value = "true"},
    {.name = "no-trunc", .help = "whole ids and instructions"},
    {.name = "quiet", .short_name = 'q', .help = "ids only"},
    kRootFlag,
    {.name = "waste",
     .help = "bytes that later layers overwrite, delete or only re-mode, and "
             "what to write instead"},
};

// Sizes by history entry, oldest first; 0 for entries without a layer.
absl::StatusOr<std::vector<uint64_t>> EntrySizes(const backend::Image& image,
                                                 backend::Store& store) {
  std::vector<uint64_t> sizes;
  size_t next = 0;
  for (const ir::HistoryEntry& entry : image.document.history) {
    uint64_t size = 0;
    if (!entry.empty_layer && next < image.layers.size()) {
      ASSIGN_OR_RETURN(backend::Layer layer,
                       store.GetLayer(image.layers[next++]));
      size = layer.size;
    }
    sizes.push_back(size);
  }
  return sizes;
}

List MakeList(const backend::Image& image, const std::vector<uint64_t>& sizes,
              bool human, bool whole) {
  List list = {.name = "history",
               .columns = {{"ID", "IMAGE"},
                           {"CreatedSince", human ? "CREATED" : ""},
                           {"CreatedAt", human ? "" : "CREATED AT"},
                           {"CreatedBy", "CREATED BY"},
                           {"Size", "SIZE"},
                           {"Comment", "COMMENT"}}};
  const std::vector<ir::HistoryEntry>& history = image.document.history;
  for (size_t i = history.size(); i-- > 0;) {
    const ir::HistoryEntry& entry = history[i];
    const int64_t created = ir::ParseTime(entry.created);
    // Only the newest entry is an image of its own.
    const std::string id = whole ? image.id.ToString() : ShortId(image.id);
    const std::string by = absl::StrReplaceAll(entry.created_by, {{"\t", " "}});
    list.rows.push_back({
        i + 1 == history.size() ? id : "<missing>",
        created == 0 ? "N/A" : HumanAge(Now() - created),
        entry.created,
        whole ? by : Ellipsis(by, kCreatedByWidth),
        human ? HumanSize(sizes[i]) : absl::StrCat(sizes[i]),
        entry.comment,
    });
  }
  return list;
}

absl::StatusOr<int> ShowWaste(const Invocation& invocation,
                              const backend::Image& image,
                              backend::Store& store) {
  if (invocation.GetBool("quiet") || invocation.Has("no-trunc") ||
      invocation.Has("human")) {
    return UsageError(
        "--waste takes no --quiet, --no-trunc and --human; use "
        "--format for another form");
  }
  ASSIGN_OR_RETURN(const backend::ImageWaste waste,
                   FindImageWaste(image, store));
  if (!invocation.Has("format")) {
    RETURN_IF_ERROR(PrintResult(WasteText(invocation.words()[0], waste)));
    return 0;
  }
  ASSIGN_OR_RETURN(std::string text,
                   FormatList(WasteList(waste), invocation.Get("format")));
  RETURN_IF_ERROR(PrintResult(text));
  return 0;
}

absl::StatusOr<int> RunHistory(const Invocation& invocation) {
  const std::string& name = invocation.words()[0];
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreWith(invocation, "image", name));
  ASSIGN_OR_RETURN(backend::Image image, FindImage(*store, name));
  if (invocation.GetBool("waste")) {
    return ShowWaste(invocation, image, *store);
  }
  ASSIGN_OR_RETURN(std::vector<uint64_t> sizes, EntrySizes(image, *store));
  const List list = MakeList(image, sizes, invocation.GetBool("human"),
                             invocation.GetBool("no-trunc"));
  ASSIGN_OR_RETURN(
      std::string text,
      FormatList(list, invocation.GetBool("quiet") ? "{{.ID}}"
                                                   : invocation.Get("format")));
  RETURN_IF_ERROR(PrintResult(text));
  return 0;
}

}  // namespace

constinit const Command kHistory = {
    .name = "history",
    .group = "Images",
    .summary = "list the instructions and layers of an image",
    .usage = "[FLAGS] IMAGE",
    .flags = kHistoryFlags,
    .min_words = 1,
    .max_words = 1,
    .words = Words::kImages,
    .examples =
        "lamina history --no-trunc app\n"
        "lamina history --waste app",
    .run = RunHistory,
};

}  // namespace lamina::cli
