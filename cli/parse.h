// From the words of a command line to an Invocation.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/command.h"

namespace lamina::cli {

// `args` stand after the command's name. Errors are usage errors. Warnings of
// flags without effect go to stderr. Values of LAMINA_FLAG_NAME stand in for
// flags that were not given.
absl::StatusOr<Invocation> ParseArguments(const Command& command,
                                          const std::vector<std::string>& args);

// True if `--help` or `-h` (where the command has no `-h` of its own) stands
// among the flags.
bool AsksForHelp(const Command& command, const std::vector<std::string>& args);

}  // namespace lamina::cli
