// Extended attributes and times of what stands in an overlay folder, by folder
// descriptor and name, symlinks never followed.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/layout/step_diff.h"

namespace lamina::backend {

// All extended attributes of `name` in `folder`.
absl::StatusOr<std::map<std::string, std::string>> ReadXattrs(
    int folder, const std::string& name);

// chown, xattrs, chmod and mtime, in this order: the kernel drops capabilities
// on chown and on write. An xattr that the file system refuses (user.* on a
// symlink, for instance) stays in the layer's tar only.
absl::Status ApplyMetadata(int folder, const std::string& name,
                           const ir::Entry& entry);

}  // namespace lamina::backend
