// The tables of contents of image archives.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/formats/member_set.h"
#include "ir/image_reference.h"

namespace lamina::backend {

// Which members make up one image.
struct ArchivedImage {
  std::string config;
  std::vector<std::string> layers;  // Bottom to top.
  std::vector<ir::ImageReference> names;
};

// manifest.json of docker save.
absl::StatusOr<std::vector<ArchivedImage>> ReadDockerIndex(
    const MemberSet& members);

// index.json of an OCI layout. Of an image for several platforms the one for
// this machine is taken. Sizes and digests of manifests are verified. `wanted`
// is the digest of one manifest or its tag; empty: all.
absl::StatusOr<std::vector<ArchivedImage>> ReadOciIndex(
    const MemberSet& members, const std::string& wanted = "");

}  // namespace lamina::backend
