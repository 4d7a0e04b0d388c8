// The archive that load and import read.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "backend/tar/tar_reader.h"
#include "base/files.h"

namespace lamina::cli {

struct ArchiveInput {
  UniqueFd file;  // Not valid for stdin.
  std::unique_ptr<backend::ByteSource> source;
};

// Opens FILE, or stdin for "-" unless it is a terminal (a usage error).
absl::StatusOr<ArchiveInput> OpenArchive(const std::string& path);

}  // namespace lamina::cli
