#include "backend/formats/image_layout.h"

#include <algorithm>

#include "base/json.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kLargestConfig = 8 << 20;

Json Descriptor(absl::string_view media_type, const Digest& digest,
                uint64_t size) {
  Json descriptor = Json::Object();
  descriptor.Set("mediaType", std::string(media_type));
  descriptor.Set("digest", digest.ToString());
  descriptor.Set("size", static_cast<int64_t>(size));
  return descriptor;
}

std::string PrintManifest(const PreparedImage& image) {
  Json layers = Json::Array();
  for (const LayerBlob& layer : image.layers) {
    layers.Append(Descriptor(LayerMediaType(layer.compression), layer.digest,
                             layer.size));
  }
  Json manifest = Json::Object();
  manifest.Set("schemaVersion", int64_t{2});
  manifest.Set("mediaType", std::string(kManifestType));
  manifest.Set("config",
               Descriptor(kConfigType, image.config, image.config_json.size()));
  manifest.Set("layers", std::move(layers));
  return PrintJson(manifest);
}

Json Platform(const ir::ImageConfig& config) {
  Json platform = Json::Object();
  platform.Set("architecture", config.architecture);
  platform.Set("os", config.os);
  if (!config.variant.empty()) {
    platform.Set("variant", config.variant);
  }
  return platform;
}

std::vector<ir::ImageReference> TaggedNames(
    const ExportImage& image, const std::vector<ir::ImageReference>& added) {
  std::vector<ir::ImageReference> names;
  for (const std::vector<ir::ImageReference>* list : {&image.names, &added}) {
    for (const ir::ImageReference& name : *list) {
      bool known = std::find(names.begin(), names.end(), name) != names.end();
      if (!known && !name.tag.empty()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

absl::StatusOr<PreparedImage> PrepareImage(const ExportImage& image,
                                           Store& store,
                                           const ExportOptions& options) {
  PreparedImage prepared;
  prepared.config = image.image.id;
  ASSIGN_OR_RETURN(prepared.config_json,
                   store.ReadBlob(image.image.id, kLargestConfig));
  prepared.document = image.image.document;
  prepared.names = TaggedNames(image, options.names);
  CHECK(image.image.layers.size() == prepared.document.diff_ids.size());
  for (size_t i = 0; i < image.image.layers.size(); ++i) {
    ASSIGN_OR_RETURN(LayerBlob blob,
                     EnsureBlob(image.image.layers[i], store, options.layers));
    if (blob.diff_id != prepared.document.diff_ids[i]) {
      return absl::DataLossError(
          absl::StrCat("layer ", i, " of ", image.image.id.ToString(), " is ",
                       blob.diff_id.ToString(), ", its configuration says ",
                       prepared.document.diff_ids[i].ToString()));
    }
    prepared.layers.push_back(blob);
  }
  prepared.manifest_json = PrintManifest(prepared);
  return prepared;
}

}  // namespace

absl::StatusOr<std::vector<PreparedImage>> PrepareImages(
    const std::vector<ExportImage>& images, Store& store,
    const ExportOptions& options) {
  if (images.size() > 1 && !options.names.empty()) {
    return absl::InvalidArgumentError(
        "one name cannot be given to several images");
  }
  std::vector<PreparedImage> prepared;
  for (const ExportImage& image : images) {
    ASSIGN_OR_RETURN(PreparedImage one, PrepareImage(image, store, options));
    prepared.push_back(std::move(one));
  }
  return prepared;
}

std::string PrintIndex(const std::vector<PreparedImage>& images) {
  Json manifests = Json::Array();
  for (const PreparedImage& image : images) {
    Json descriptor = Descriptor(kManifestType, Sha256(image.manifest_json),
                                 image.manifest_json.size());
    descriptor.Set("platform", Platform(image.document.config));
    // podman and containerd take the image's name from the first annotation.
    if (!image.names.empty()) {
      Json annotations = Json::Object();
      annotations.Set(kNameAnnotation, image.names.front().Full());
      annotations.Set(kRefNameAnnotation, image.names.front().tag);
      annotations.Set("org.opencontainers.image.created",
                      image.document.created);
      descriptor.Set("annotations", std::move(annotations));
    }
    manifests.Append(std::move(descriptor));
  }
  Json index = Json::Object();
  index.Set("schemaVersion", int64_t{2});
  index.Set("mediaType", std::string(kIndexType));
  index.Set("manifests", std::move(manifests));
  return PrintJson(index);
}

void AddImageBlobs(const std::vector<PreparedImage>& images,
                   ArchiveWriter& archive) {
  archive.AddFolder("blobs");
  archive.AddFolder("blobs/sha256");
  for (const PreparedImage& image : images) {
    archive.AddBlobBytes(Sha256(image.manifest_json), image.manifest_json);
    archive.AddBlobBytes(image.config, image.config_json);
    for (const LayerBlob& layer : image.layers) {
      archive.AddBlob(layer.digest, layer.size);
    }
  }
}

}  // namespace lamina::backend
