// Image archives: how an image becomes a tarball, and back.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "backend/layer_writer.h"
#include "backend/store/store.h"
#include "backend/tar/tar_reader.h"
#include "ir/image_reference.h"

namespace lamina::backend {

struct ExportOptions {
  std::string type;  // A name of formats.def.
  std::string dest;  // Path; "-" is stdout. A path that ends in .tar.gz, .tgz
                     // or .tar.zst is compressed as a whole.
  bool tar = true;   // False, for "oci": `dest` becomes a folder.
  LayerWriterOptions layers;
  // Added to the image's own tags in this output only.
  std::vector<ir::ImageReference> names;
};

// One image and the names it is saved under.
struct ExportImage {
  Image image;
  std::vector<ir::ImageReference> names;
};

// One output format, a row of formats.def.
struct Format {
  absl::string_view name;  // "docker", "oci", "tar", "local".
  absl::string_view summary;
  absl::Status (*write)(const std::vector<ExportImage>& images, Store& store,
                        const ExportOptions& options);
};

std::vector<const Format*> AllFormats();
const Format* FindFormat(absl::string_view name);

// The blob of a layer in the wanted compression; makes it from another form
// or from the unpacked folder, and records it, if it is not there yet.
absl::StatusOr<LayerBlob> EnsureBlob(LayerId layer, Store& store,
                                     const LayerWriterOptions& options);

// A layer's folder in overlay form (ROOT/layers/ID/fs); unpacks the blob if
// needed. `below` are the layers under it, bottom to top, unpacked first when
// the tar needs them.
absl::StatusOr<std::string> EnsureUnpacked(LayerId layer,
                                           const std::vector<LayerId>& below,
                                           Store& store);

struct LoadedImage {
  Digest id;
  std::vector<ir::ImageReference> names;
};

// Reads docker-archive and OCI archives (one stream, plain or compressed) into
// the store; ours, docker's, podman's and skopeo's. Every digest and diff id is
// verified; on any error the store is as before.
absl::StatusOr<std::vector<LoadedImage>> LoadArchive(ByteSource& archive,
                                                     Store& store);

// One image of an OCI layout folder: `wanted` is the digest of its manifest, its
// tag, or empty if there is only one. With a store it is loaded there; without,
// only the id of what would be loaded is found.
absl::StatusOr<Digest> LoadLayout(const std::string& path,
                                  const std::string& wanted, Store* store);

// A root file system tar, plain or compressed, becomes an image of one layer.
absl::StatusOr<Image> ImportRootFs(ByteSource& tar, Store& store,
                                   const ir::ImageConfig& config,
                                   const std::string& message,
                                   const std::vector<ir::ImageReference>& names,
                                   int64_t created);

}  // namespace lamina::backend
