// lamina images
#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/image_text.h"
#include "cli/list_format.h"
#include "cli/store_access.h"
#include "ir/patterns.h"

namespace lamina::cli {
namespace {

constexpr Flag kImagesFlags[] = {
    {.name = "all",
     .short_name = 'a',
     .help = "intermediate images too (there are none: the same list)"},
    {.name = "digests", .help = "show a DIGEST column"},
    {.name = "filter",
     .short_name = 'f',
     .value = "KEY=VALUE",
     .help = "dangling=true|false or reference=PATTERN",
     .repeatable = true},
    kListFormatFlag,
    {.name = "no-trunc", .help = "whole ids"},
    {.name = "quiet", .short_name = 'q', .help = "ids only"},
    kRootFlag,
};

struct Filters {
  std::optional<bool> dangling;
  std::vector<std::string> references;
};

// One line of the list: an image under one of its names, or without any.
struct Row {
  backend::Image image;
  std::optional<ir::ImageReference> name;
  uint64_t size = 0;
};

absl::StatusOr<Filters> ReadFilters(const Invocation& invocation) {
  Filters filters;
  for (const std::string& filter : invocation.GetAll("filter")) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(filter, absl::MaxSplits('=', 1));
    if (parts.first == "dangling") {
      if (parts.second != "true" && parts.second != "false") {
        return UsageError("`dangling` takes `true` or `false`");
      }
      filters.dangling = parts.second == "true";
    } else if (parts.first == "reference") {
      filters.references.push_back(parts.second);
    } else {
      return UsageError(absl::StrCat("no filter named `", parts.first,
                                     "`; there are dangling and reference"));
    }
  }
  for (const std::string& word : invocation.words()) {
    filters.references.push_back(word);
  }
  return filters;
}

// A pattern is matched with the repository alone and with the whole name.
absl::StatusOr<bool> Matches(const Filters& filters,
                             const std::optional<ir::ImageReference>& name) {
  if (filters.dangling.has_value() && *filters.dangling == name.has_value()) {
    return false;
  }
  if (filters.references.empty()) {
    return true;
  }
  if (!name.has_value()) {
    return false;
  }
  for (const std::string& pattern : filters.references) {
    for (const std::string& text :
         {name->FamiliarRepository(), name->Familiar(), name->Full()}) {
      absl::StatusOr<bool> match = ir::MatchWildcard(pattern, text);
      if (!match.ok()) {
        return UsageError(absl::StrCat("pattern `", pattern,
                                       "`: ", match.status().message()));
      }
      if (*match) {
        return true;
      }
    }
  }
  return false;
}

absl::StatusOr<std::vector<Row>> CollectRows(const Filters& filters,
                                             backend::Store& store) {
  ASSIGN_OR_RETURN(NamesOfImages names, CollectNames(store));
  ASSIGN_OR_RETURN(std::vector<backend::Image> images, store.ListImages());
  std::stable_sort(images.begin(), images.end(),
                   [](const backend::Image& a, const backend::Image& b) {
                     return ir::ParseTime(a.document.created) >
                            ir::ParseTime(b.document.created);
                   });
  std::vector<Row> rows;
  for (const backend::Image& image : images) {
    ASSIGN_OR_RETURN(const uint64_t size, ImageSize(image, store));
    std::vector<std::optional<ir::ImageReference>> shown(
        names[image.id].begin(), names[image.id].end());
    if (shown.empty()) {
      shown.emplace_back();
    }
    for (const std::optional<ir::ImageReference>& name : shown) {
      ASSIGN_OR_RETURN(const bool match, Matches(filters, name));
      if (match) {
        rows.push_back({image, name, size});
      }
    }
  }
  return rows;
}

std::string QuietText(const std::vector<Row>& rows, bool whole) {
  std::string text;
  std::string last;
  for (const Row& row : rows) {
    const std::string id =
        whole ? row.image.id.ToString() : ShortId(row.image.id);
    if (id != last) {
      absl::StrAppend(&text, id, "\n");
    }
    last = id;
  }
  return text;
}

List MakeList(const std::vector<Row>& rows, bool whole, bool digests) {
  List list = {.name = "images",
               .columns = {{"Repository", "REPOSITORY"},
                           {"Tag", "TAG"},
                           {"Digest", digests ? "DIGEST" : ""},
                           {"ID", "IMAGE ID"},
                           {"CreatedSince", "CREATED"},
                           {"CreatedAt", ""},
                           {"Size", "SIZE"}}};
  for (const Row& row : rows) {
    const int64_t created = ir::ParseTime(row.image.document.created);
    std::string tag = "<none>";
    if (row.name.has_value() && !row.name->tag.empty()) {
      tag = row.name->tag;
    }
    std::string digest = "<none>";
    if (row.name.has_value() && !row.name->digest.empty()) {
      digest = row.name->digest;
    }
    list.rows.push_back({
        row.name.has_value() ? row.name->FamiliarRepository() : "<none>",
        tag,
        digest,
        whole ? row.image.id.ToString() : ShortId(row.image.id),
        created == 0 ? "N/A" : HumanAge(Now() - created),
        row.image.document.created,
        HumanSize(row.size),
    });
  }
  return list;
}

absl::StatusOr<int> RunImages(const Invocation& invocation) {
  ASSIGN_OR_RETURN(Filters filters, ReadFilters(invocation));
  ASSIGN_OR_RETURN(std::unique_ptr<backend::Store> store,
                   OpenStoreForReading(StoreRoot(invocation.Get("root"))));
  std::vector<Row> rows;
  if (store != nullptr) {
    ASSIGN_OR_RETURN(rows, CollectRows(filters, *store));
  }
  const bool whole = invocation.GetBool("no-trunc");
  if (invocation.GetBool("quiet")) {
    RETURN_IF_ERROR(PrintResult(QuietText(rows, whole)));
    return 0;
  }
  ASSIGN_OR_RETURN(
      std::string text,
      FormatList(MakeList(rows, whole, invocation.GetBool("digests")),
                 invocation.Get("format")));
  RETURN_IF_ERROR(PrintResult(text));
  return 0;
}

}  // namespace

constinit const Command kImages = {
    .name = "images",
    .group = "Images",
    .summary = "list images",
    .usage = "[FLAGS] [REPOSITORY[:TAG]]",
    .flags = kImagesFlags,
    .max_words = 1,
    .words = Words::kImages,
    .examples =
        "lamina images --filter reference='app*'\n"
        "lamina images --format '{{.ID}} {{.Repository}}'",
    .run = RunImages,
};

}  // namespace lamina::cli
