// The members of an image archive, collected first and written in one go.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backend/layer.h"
#include "backend/store/store.h"
#include "base/digest.h"
#include "base/json.h"
#include "ir/image_reference.h"

namespace lamina::backend {

// Members keep the order in which they were added; mode 0644 (folders 0755),
// owner 0:0, time 0, so that equal members give equal bytes.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(Store& store) : store_(store) {}

  void AddFolder(const std::string& name);
  void AddFile(const std::string& name, std::string bytes);
  // blobs/sha256/HEX. A second blob of the same digest is left out.
  void AddBlob(const Digest& digest, uint64_t size);
  void AddBlobBytes(const Digest& digest, std::string bytes);

  // Stands for every byte of the archive without reading a blob.
  Digest Recipe() const;
  // Writes the tar to `dest`; see WriteOutput.
  absl::Status WriteTar(const std::string& dest) const;
  // Writes the members below the folder `dest`, blobs before what names them.
  absl::Status WriteFolder(const std::string& dest) const;

 private:
  struct Member {
    ir::Entry entry;
    std::string bytes;
    Digest blob;  // Not empty: the bytes are this blob of the store.
  };
  absl::Status WriteMembers(int fd) const;
  absl::Status WriteMember(const Member& member, const std::string& dest) const;

  Store& store_;
  std::vector<Member> members_;
  std::set<Digest> blobs_;
};

// blobs/sha256/HEX
std::string BlobMember(const Digest& digest);

}  // namespace lamina::backend
