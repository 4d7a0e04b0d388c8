#include "cli/image_text.h"

#include <ctime>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/command.h"

namespace lamina::cli {

absl::StatusOr<NamesOfImages> CollectNames(backend::Store& store) {
  NamesOfImages names;
  ASSIGN_OR_RETURN(auto tags, store.ListTags());
  for (const auto& [name, id] : tags) {
    ASSIGN_OR_RETURN(ir::ImageReference reference,
                     ir::ImageReference::Parse(name));
    names[id].push_back(std::move(reference));
  }
  return names;
}

std::string ShortId(const Digest& id) { return id.hex().substr(0, 12); }

absl::StatusOr<ir::ImageReference> ReadImageName(absl::string_view text) {
  absl::StatusOr<ir::ImageReference> name = ir::ImageReference::Parse(text);
  if (!name.ok()) {
    return UsageError(name.status().message());
  }
  if (!name->digest.empty()) {
    return UsageError(
        absl::StrCat("`", text, "` has a digest; a new name cannot have one"));
  }
  return name;
}

absl::StatusOr<uint64_t> ImageSize(const backend::Image& image,
                                   backend::Store& store) {
  uint64_t size = 0;
  for (backend::LayerId id : image.layers) {
    ASSIGN_OR_RETURN(backend::Layer layer, store.GetLayer(id));
    size += layer.size;
  }
  return size;
}

std::string Counted(uint64_t count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

int64_t Now() { return std::time(nullptr); }

std::string Ellipsis(const std::string& text, size_t width) {
  if (DisplayWidth(text) <= width) {
    return text;
  }
  absl::string_view kept = text;
  while (DisplayWidth(kept) >= width) {
    kept = KeepStart(kept, kept.size() - 1);
  }
  return absl::StrCat(kept, "…");
}

}  // namespace lamina::cli
