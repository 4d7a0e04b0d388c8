#include "backend/layer_contents.h"

#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/formats/formats.h"
#include "backend/tar/tar_writer.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {

absl::StatusOr<ContentPart> LayerContents::Open(size_t position,
                                                const std::string& path) {
  ASSIGN_OR_RETURN(Opened * layer, OpenLayer(position));
  ContentPart part;
  if (layer->folder.valid()) {
    ASSIGN_OR_RETURN(part.fd, OpenBeneath(layer->folder.get(), path,
                                          O_RDONLY | O_NOFOLLOW));
    return part;
  }
  auto place = layer->places.find(path);
  if (place == layer->places.end()) {
    return absl::InternalError(
        absl::StrCat("layer ", stack_[position], " has no file /", path));
  }
  ASSIGN_OR_RETURN(part.fd, OpenFile(layer->tar, O_RDONLY));
  if (lseek(part.fd.get(), static_cast<off_t>(place->second.offset),
            SEEK_SET) < 0) {
    return ErrnoError(absl::StrCat("seek in ", layer->tar));
  }
  part.size = place->second.size;
  return part;
}

absl::StatusOr<LayerContents::Opened*> LayerContents::OpenLayer(
    size_t position) {
  std::unique_ptr<Opened>& opened = opened_[position];
  if (opened != nullptr) {
    return opened.get();
  }
  auto layer = std::make_unique<Opened>();
  LayerId id = stack_[position];
  ASSIGN_OR_RETURN(Layer record, store_.GetLayer(id));
  std::optional<LayerBlob> plain;
  if (!record.unpacked && record.diff_id.has_value()) {
    ASSIGN_OR_RETURN(plain,
                     store_.FindBlob(*record.diff_id, Compression::kNone));
  }
  if (plain.has_value()) {
    layer->tar = store_.BlobPath(plain->digest);
    RETURN_IF_ERROR(FindPlaces(id, *layer));
  } else {
    std::vector<LayerId> below(stack_.begin(), stack_.begin() + position);
    ASSIGN_OR_RETURN(std::string folder, EnsureUnpacked(id, below, store_));
    ASSIGN_OR_RETURN(layer->folder, OpenFile(folder, O_PATH | O_DIRECTORY));
  }
  opened = std::move(layer);
  return opened.get();
}

// Our tars are a function of their diff, so the places need no reading. Whoever
// reads the bytes compares their digests all the same.
absl::Status LayerContents::FindPlaces(LayerId id, Opened& opened) {
  ASSIGN_OR_RETURN(ir::StepDiff diff, store_.ReadDiff(id));
  uint64_t offset = 0;
  for (const ir::Entry& entry : diff.entries) {
    offset += TarHeader(entry).size();
    if (entry.type == ir::EntryType::kFile) {
      opened.places[entry.path] = {offset, entry.size};
      offset += entry.size + TarPadding(entry.size).size();
    } else if (entry.type == ir::EntryType::kHardLink) {
      // Its bytes stand under the name before it; a later layer may have taken
      // that name away.
      auto first = opened.places.find(entry.link);
      if (first != opened.places.end()) {
        opened.places[entry.path] = first->second;
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace lamina::backend
