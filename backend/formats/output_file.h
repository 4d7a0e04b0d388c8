// A file outside the store: written beside its final name and renamed.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "backend/store/store.h"
#include "base/digest.h"

namespace lamina::backend {

// Writes `dest` with what `write` puts into the descriptor it is given. `dest`
// may be "-" (stdout), a device or a pipe, which are written directly. On
// failure nothing is left. When the file already holds what `recipe` stands
// for, because this store wrote it, `write` is not called. A name that ends in
// .tar.gz, .tgz or .tar.zst is compressed as a whole.
absl::Status WriteOutput(const std::string& dest, const Digest& recipe,
                         Store& store,
                         const std::function<absl::Status(int fd)>& write);

// Copies `size` bytes of `from`, beginning at its start, to the end of `to`;
// inside the kernel where the file systems can. A shorter file is an error.
absl::Status CopyBytes(int from, int to, uint64_t size);

}  // namespace lamina::backend
