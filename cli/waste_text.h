// The waste of an image as people and programs read it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "backend/image_waste.h"
#include "base/json.h"
#include "cli/list_format.h"

namespace lamina::cli {

// A summary, then a paragraph for each layer and the one that made it dead.
std::string WasteText(absl::string_view name, const backend::ImageWaste& waste);
// A row for each, for `--format`.
List WasteList(const backend::ImageWaste& waste);
Json WasteJson(const backend::ImageWaste& waste);

}  // namespace lamina::cli
