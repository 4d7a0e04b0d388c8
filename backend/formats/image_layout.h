// What the docker and the OCI archive share: an image as a manifest, a
// configuration and layer blobs (OCI image-spec, manifest.md and
// image-layout.md).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/formats/archive_writer.h"
#include "backend/formats/formats.h"

namespace lamina::backend {

inline constexpr absl::string_view kManifestType =
    "application/vnd.oci.image.manifest.v1+json";
inline constexpr absl::string_view kIndexType =
    "application/vnd.oci.image.index.v1+json";
inline constexpr absl::string_view kConfigType =
    "application/vnd.oci.image.config.v1+json";
inline constexpr absl::string_view kLayoutFile =
    R"({"imageLayoutVersion":"1.0.0"})";
inline constexpr absl::string_view kNameAnnotation = "io.containerd.image.name";
inline constexpr absl::string_view kRefNameAnnotation =
    "org.opencontainers.image.ref.name";

// An image whose blobs all exist.
struct PreparedImage {
  Digest config;
  std::string config_json;
  std::string manifest_json;
  ir::ImageDocument document;
  std::vector<LayerBlob> layers;          // Bottom to top.
  std::vector<ir::ImageReference> names;  // Tagged ones, each once.
};

// Makes the missing blobs and the manifests.
absl::StatusOr<std::vector<PreparedImage>> PrepareImages(
    const std::vector<ExportImage>& images, Store& store,
    const ExportOptions& options);

// index.json: one descriptor an image, annotated with its first name.
std::string PrintIndex(const std::vector<PreparedImage>& images);

// The folders below blobs/ and each image's manifest, configuration, layers.
void AddImageBlobs(const std::vector<PreparedImage>& images,
                   ArchiveWriter& archive);

}  // namespace lamina::backend
