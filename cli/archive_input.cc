#include "cli/archive_input.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/status.h"
#include "cli/command.h"

namespace lamina::cli {

absl::StatusOr<ArchiveInput> OpenArchive(const std::string& path) {
  ArchiveInput input;
  if (path == "-") {
    if (isatty(STDIN_FILENO) == 1) {
      return UsageError("stdin is a terminal; name a file or use a pipe");
    }
    input.source = backend::MakeFdSource(STDIN_FILENO);
    return input;
  }
  ASSIGN_OR_RETURN(input.file, OpenFile(path, O_RDONLY));
  input.source = backend::MakeFdSource(input.file.get());
  return input;
}

}  // namespace lamina::cli
