// lamina version
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/help.h"

namespace lamina::cli {
namespace {

absl::StatusOr<int> RunVersion(const Invocation&) {
  RETURN_IF_ERROR(PrintResult(absl::StrCat(VersionText(), "\n")));
  return 0;
}

}  // namespace

constinit const Command kVersion = {
    .name = "version",
    .group = "Tooling",
    .summary = "print the version",
    .usage = "",
    .run = RunVersion,
};

}  // namespace lamina::cli
