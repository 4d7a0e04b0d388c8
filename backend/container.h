// Containers: an image, and one writable layer on top of it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/store/store.h"
#include "ir/image_config.h"
#include "ir/image_reference.h"
#include "runtime/sandbox.h"

namespace lamina::backend {

// Makes the container's tree the root of `spec`: the unpacked layers of the
// image below the folders that the store made for the container.
absl::Status SetContainerRoot(const Image& image, const Container& container,
                              Store& store, runtime::SandboxSpec& spec);

struct CommitOptions {
  ir::ImageConfig config;  // Of the new image.
  std::string message;     // The comment of the new history entry.
  std::vector<ir::ImageReference> names;
  int64_t created = 0;  // Seconds since the epoch.
};

// The image of a container that does not run: its image's layers and, when the
// container changed files, one more. The container stays as it is.
absl::StatusOr<Image> CommitContainer(const Container& container,
                                      const CommitOptions& options,
                                      Store& store);

}  // namespace lamina::backend
