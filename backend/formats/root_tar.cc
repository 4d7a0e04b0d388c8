// The merged root file system as one tar.
#include "backend/formats/formats.h"
#include "backend/formats/merged_tree.h"
#include "backend/formats/output_file.h"
#include "backend/tar/tar_writer.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

absl::Status WriteEntry(const MergedTree& tree, ir::Entry entry, int fd) {
  if (entry.type != ir::EntryType::kFile) {
    return WriteAll(fd, TarHeader(entry));
  }
  ASSIGN_OR_RETURN(UniqueFd file, tree.OpenFile(entry));
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) {
    return ErrnoError("read a file");
  }
  entry.size = status.st_size;
  RETURN_IF_ERROR(WriteAll(fd, TarHeader(entry)));
  RETURN_IF_ERROR(CopyBytes(file.get(), fd, entry.size));
  return WriteAll(fd, TarPadding(entry.size));
}

absl::Status WriteTree(const MergedTree& tree, int fd) {
  for (const ir::Entry& entry : tree.entries()) {
    RETURN_IF_ERROR(
        Annotate(WriteEntry(tree, entry, fd), absl::StrCat("/", entry.path)));
  }
  return WriteAll(fd, TarEnd());
}

absl::Status WriteRootTar(const std::vector<ExportImage>& images, Store& store,
                          const ExportOptions& options) {
  if (images.size() != 1) {
    return absl::InvalidArgumentError(
        "a root file system is made of exactly one image");
  }
  const Image& image = images.front().image;
  // The diff ids name every byte of the tree.
  Hasher recipe;
  recipe.UpdateField("root file system");
  for (const Digest& diff_id : image.document.diff_ids) {
    recipe.UpdateField(diff_id.hex());
  }
  return WriteOutput(
      options.dest, recipe.Finish(), store, [&](int fd) -> absl::Status {
        ASSIGN_OR_RETURN(MergedTree tree, MergedTree::Open(image, store));
        return WriteTree(tree, fd);
      });
}

}  // namespace

extern const Format kRootTar;
constinit const Format kRootTar = {
    .name = "tar",
    .summary = "root file system as a tar",
    .write = WriteRootTar,
};

}  // namespace lamina::backend
