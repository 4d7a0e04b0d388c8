// Between layers and overlay folders.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/tar/tar_reader.h"
#include "ir/layout/step_diff.h"
#include "ir/layout/tree.h"

namespace lamina::backend {

// Unpacks a layer tar into the new folder `path` in overlay form: whiteouts are
// character devices 0/0, opaque folders have trusted.overlay.opaque. Folders
// that the tar does not list are made as the tree below has them, else 0755.
// `lower_folders` (bottom to top) hold the bytes that a hard link to a lower
// layer needs. Returns the diff with digests. Everything is resolved beneath
// the folder; a name that leaves it is an error (security.md 1).
absl::StatusOr<ir::StepDiff> UnpackLayer(
    ByteSource& tar, const ir::Tree& below,
    const std::vector<std::string>& lower_folders, const std::string& path);

// Reads the headers of a layer tar only.
absl::StatusOr<ir::StepDiff> ScanLayer(ByteSource& tar);

// Reads the upper folder of an overlay as a step diff against the tree below
// it: explicit whiteouts, opaque folders expanded, what did not change left
// out (layers-and-archives.md 2.3). `lower_folders` are compared with where
// only bytes can tell. Sockets are skipped. An entry `.wh.x` is an error.
// Times after `newest_time` (seconds since the epoch) become that time.
absl::StatusOr<ir::StepDiff> ScanUpper(
    const std::string& upper, const ir::Tree& below,
    const std::vector<std::string>& lower_folders,
    int64_t newest_time = ir::kNoTimeLimit);

}  // namespace lamina::backend
