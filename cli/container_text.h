// What several commands ask about containers.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "backend/store/store.h"

namespace lamina::cli {

// True while the process that runs the container lives; a record that says
// "running" may be all that a crash left.
bool IsRunning(const backend::Container& container);

// "Created", "Up 5 minutes", "Exited (0)", "Dead".
std::string ContainerStatus(const backend::Container& container);

// Finds a container by name or id; an unknown one is the user's error (exit 1).
absl::StatusOr<backend::Container> FindContainer(backend::Store& store,
                                                 absl::string_view name);

}  // namespace lamina::cli
