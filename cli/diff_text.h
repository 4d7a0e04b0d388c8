// What differs between two images, as people and programs read it.
#pragma once

#include <string>

#include "backend/image_diff.h"
#include "base/json.h"

namespace lamina::cli {

struct NamedImage {
  std::string name;  // As the user wrote it.
  const backend::Image* image = nullptr;
};

// Without `all` a folder speaks for what is added or removed below it, and
// only the first paths are shown.
std::string DiffText(const NamedImage& first, const NamedImage& second,
                     const backend::ImageDiff& diff, bool all);
Json DiffJson(const backend::ImageDiff& diff);

}  // namespace lamina::cli
