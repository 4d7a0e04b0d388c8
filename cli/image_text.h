// What several commands say about images in the same words.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/store/store.h"
#include "ir/image_reference.h"

namespace lamina::cli {

// All names of every image, in byte order.
using NamesOfImages = std::map<Digest, std::vector<ir::ImageReference>>;
absl::StatusOr<NamesOfImages> CollectNames(backend::Store& store);

std::string ShortId(const Digest& id);  // Twelve hex digits.

// A name that an image is to get: a usage error if it is malformed or has a
// digest.
absl::StatusOr<ir::ImageReference> ReadImageName(absl::string_view text);

// Sum of the uncompressed layers, bytes.
absl::StatusOr<uint64_t> ImageSize(const backend::Image& image,
                                   backend::Store& store);

// "1 layer", "2 layers".
std::string Counted(uint64_t count, absl::string_view noun);

// Now, in seconds since the epoch.
int64_t Now();

// Cuts to `width` characters with a final `…`, as docker does.
std::string Ellipsis(const std::string& text, size_t width);

}  // namespace lamina::cli
