// The waste of an image in the store.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/layer.h"
#include "backend/store/store.h"
#include "backend/waste.h"

namespace lamina::backend {

struct ImageWaste {
  WasteReport report;
  std::vector<std::string> instructions;  // Of each layer, from the history.
  std::vector<bool> own;                  // Layers that were built here.
};

// Reads tars where only their headers were recorded and contents decide.
absl::StatusOr<ImageWaste> FindImageWaste(const Image& image, Store& store);

}  // namespace lamina::backend
