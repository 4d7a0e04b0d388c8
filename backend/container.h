// Containers: an image plus one writable layer.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "backend/store/store.h"
#include "ir/image_reference.h"
#include "runtime/sandbox.h"

namespace lamina::backend {

// What `run` may change of the image's configuration.
struct ContainerOptions {
  std::vector<std::string> command;     // Replaces Cmd when not empty.
  bool replace_entrypoint = false;
  std::vector<std::string> entrypoint;  // Only with replace_entrypoint.
  std::vector<std::string> env;         // NAME=value, wins over the image's.
  std::string user;
  std::string working_dir;
  std::string hostname;                 // Empty: the first 12 digits of the id.
};

// Makes the writable folders of a new container and records it, "created".
// InvalidArgument: there is no command to run.
absl::StatusOr<Container> CreateContainer(const Image& image,
                                          const std::string& image_name,
                                          const std::string& name,
                                          const ContainerOptions& options,
                                          int64_t now, Store& store);

// The sandbox of a container: its layers, writable folder, process. Mounts,
// network and streams are the caller's.
absl::StatusOr<runtime::SandboxSpec> ContainerSandbox(
    const Container& container, const Image& image,
    const ContainerOptions& options, Store& store);

struct CommitOptions {
  std::string author;
  std::string message;
  std::vector<ir::ImageReference> names;
  ir::ImageConfig config;  // Of the new image.
  int64_t now = 0;         // Seconds since the epoch.
};

// The container's writable layer becomes the top layer of a new image; a
// container that changed nothing adds history only.
absl::StatusOr<Image> CommitContainer(const Container& container,
                                      const Image& image,
                                      const CommitOptions& options,
                                      Store& store);

}  // namespace lamina::backend
