// An archive that every tool reads: an OCI layout with the manifest.json of
// docker save in front, whose paths point into blobs/.
#include "backend/formats/archive_writer.h"
#include "backend/formats/formats.h"
#include "backend/formats/image_layout.h"
#include "base/json.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

std::string PrintDockerManifest(const std::vector<PreparedImage>& images) {
  Json list = Json::Array();
  for (const PreparedImage& image : images) {
    Json layers = Json::Array();
    for (const LayerBlob& layer : image.layers) {
      layers.Append(BlobMember(layer.digest));
    }
    Json tags;
    for (const ir::ImageReference& name : image.names) {
      tags = tags.is_null() ? Json::Array() : std::move(tags);
      tags.Append(absl::StrCat(name.FamiliarRepository(), ":", name.tag));
    }
    Json row = Json::Object();
    row.Set("Config", BlobMember(image.config));
    row.Set("RepoTags", std::move(tags));
    row.Set("Layers", std::move(layers));
    list.Append(std::move(row));
  }
  return PrintJson(list);
}

// {"app":{"1":"HEX"}}: the top layer of each name. Empty without names.
std::string PrintRepositories(const std::vector<PreparedImage>& images) {
  std::map<std::string, Json> repositories;
  for (const PreparedImage& image : images) {
    for (const ir::ImageReference& name : image.names) {
      if (image.layers.empty()) {
        continue;
      }
      Json& tags = repositories[name.FamiliarRepository()];
      tags = tags.is_null() ? Json::Object() : std::move(tags);
      tags.Set(name.tag, image.layers.back().diff_id.hex());
    }
  }
  Json document = Json::Object();
  for (auto& [repository, tags] : repositories) {
    document.Set(repository, std::move(tags));
  }
  return repositories.empty() ? "" : PrintJson(document);
}

absl::Status WriteDockerArchive(const std::vector<ExportImage>& images,
                                Store& store, const ExportOptions& options) {
  ASSIGN_OR_RETURN(std::vector<PreparedImage> prepared,
                   PrepareImages(images, store, options));
  ArchiveWriter archive(store);
  // The documents first: a reader of a stream then knows what will come.
  archive.AddFile("oci-layout", std::string(kLayoutFile));
  archive.AddFile("index.json", PrintIndex(prepared));
  archive.AddFile("manifest.json", PrintDockerManifest(prepared));
  if (std::string names = PrintRepositories(prepared); !names.empty()) {
    archive.AddFile("repositories", std::move(names));
  }
  AddImageBlobs(prepared, archive);
  return archive.WriteTar(options.dest);
}

}  // namespace

extern const Format kDockerArchive;
constinit const Format kDockerArchive = {
    .name = "docker",
    .summary = "archive for docker load, podman load and skopeo",
    .write = WriteDockerArchive,
};

}  // namespace lamina::backend
