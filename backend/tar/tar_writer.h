// The layer tar, byte by byte: ustar with PAX records only where they are
// needed (layers-and-archives.md 1.2). Equal entries give equal bytes.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ir/layout/step_diff.h"

namespace lamina::backend {

// The header blocks of one entry (PAX header included). The bytes of a file
// follow, padded with TarPadding(size). Whiteouts become `.wh.NAME` files. The
// link of a hard link is written as it is given.
std::string TarHeader(const ir::Entry& entry);

// Zeros up to the next multiple of 512.
std::string TarPadding(uint64_t size);

// Two zero blocks.
std::string TarEnd();

// Checks what no layer may contain: names beginning with `.wh.`, names longer
// than 4,096 bytes, empty or `..` components. The message names the path.
absl::Status CheckEntryName(absl::string_view path);

// True for the extended attributes that are part of a layer
// (layers-and-archives.md 1.3); all others describe the machine.
bool LayerKeepsXattr(absl::string_view name);

}  // namespace lamina::backend
