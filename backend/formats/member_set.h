// The members of a foreign archive, in scratch files.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "backend/tar/tar_reader.h"
#include "base/digest.h"
#include "base/files.h"

namespace lamina::backend {

// Names are found among the members only, never in the file system
// (security.md U15): a link leads to another member or is an error.
class MemberSet {
 public:
  struct File {
    std::string path;  // Of the scratch file.
    uint64_t size = 0;
    Digest digest;
  };

  // Reads the whole tar; contents go to new files in `folder`. Errors: damage,
  // a name that stands twice, a name that leaves the archive, a member that is
  // neither file, folder nor link, a blob that does not have its digest.
  static absl::StatusOr<MemberSet> Read(ByteSource& tar,
                                        const std::string& folder);

  // The files of an OCI layout folder, each copied into `scratch` when it is
  // asked for, and verified then.
  static absl::StatusOr<MemberSet> OpenLayout(const std::string& folder,
                                              const std::string& scratch);

  bool Has(const std::string& name) const;
  // Links are followed. The file lives as long as the set.
  absl::StatusOr<const File*> Find(const std::string& name) const;
  // The content of a document of at most 4 MiB.
  absl::StatusOr<std::string> ReadDocument(const std::string& name) const;

 private:
  absl::Status AddFile(TarReader& tar, const std::string& name,
                       const std::string& path);
  // A member of `layout_`, read at the first call.
  absl::StatusOr<const File*> FindInLayout(const std::string& name) const;

  mutable std::map<std::string, File> files_;
  std::map<std::string, std::string> links_;  // To cleaned names.
  UniqueFd layout_;  // Of a folder; else none.
  std::string scratch_;
};

}  // namespace lamina::backend
