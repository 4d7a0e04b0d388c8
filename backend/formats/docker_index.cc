#include "backend/formats/archive_index.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

absl::StatusOr<std::vector<ir::ImageReference>> ParseTags(const Json& tags) {
  std::vector<ir::ImageReference> names;
  for (const std::string& tag : tags.strings()) {
    absl::StatusOr<ir::ImageReference> name = ir::ImageReference::Parse(tag);
    if (!name.ok() || !name->digest.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("invalid tag \"", EscapeControls(tag), "\""));
    }
    names.push_back(*std::move(name));
  }
  return names;
}

}  // namespace

absl::StatusOr<std::vector<ArchivedImage>> ReadDockerIndex(
    const MemberSet& members) {
  ASSIGN_OR_RETURN(std::string text, members.ReadDocument("manifest.json"));
  absl::StatusOr<Json> document = ParseJson(text);
  RETURN_IF_ERROR(Annotate(document.status(), "manifest.json"));
  if (!document->is_array()) {
    return absl::InvalidArgumentError(
        "invalid manifest, manifest cannot be null (but can be [])");
  }
  std::vector<ArchivedImage> images;
  for (const Json& row : document->array()) {
    ArchivedImage image;
    image.config = row["Config"].string();
    image.layers = row["Layers"].strings();
    if (image.config.empty()) {
      return absl::InvalidArgumentError("manifest.json: `Config` is missing");
    }
    ASSIGN_OR_RETURN(image.names, ParseTags(row["RepoTags"]));
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace lamina::backend
