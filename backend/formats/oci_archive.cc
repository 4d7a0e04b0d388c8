// The OCI image layout, as a tar or as a folder.
#include "backend/formats/archive_writer.h"
#include "backend/formats/formats.h"
#include "backend/formats/image_layout.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

absl::Status WriteOciArchive(const std::vector<ExportImage>& images,
                             Store& store, const ExportOptions& options) {
  ASSIGN_OR_RETURN(std::vector<PreparedImage> prepared,
                   PrepareImages(images, store, options));
  ArchiveWriter archive(store);
  archive.AddFile("oci-layout", std::string(kLayoutFile));
  archive.AddFile("index.json", PrintIndex(prepared));
  AddImageBlobs(prepared, archive);
  return options.tar ? archive.WriteTar(options.dest)
                     : archive.WriteFolder(options.dest);
}

}  // namespace

extern const Format kOciArchive;
constinit const Format kOciArchive = {
    .name = "oci",
    .summary = "OCI image layout, as an archive or a folder",
    .write = WriteOciArchive,
};

}  // namespace lamina::backend
