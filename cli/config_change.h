// `--change INSTRUCTION` of import and commit.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/command.h"
#include "ir/image_config.h"

namespace lamina::cli {

inline constexpr Flag kChangeFlag = {
    .name = "change",
    .short_name = 'c',
    .value = "INSTRUCTION",
    .help = "apply a Dockerfile instruction to the configuration",
    .repeatable = true,
};

// Applies CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and
// WORKDIR. Nothing is expanded. Errors are usage errors.
absl::Status ApplyChange(absl::string_view instruction,
                         ir::ImageConfig& config);
absl::Status ApplyChanges(const std::vector<std::string>& instructions,
                          ir::ImageConfig& config);

// Words parted by blanks; quotes and backslashes as in a shell.
absl::StatusOr<std::vector<std::string>> SplitWords(absl::string_view text);

}  // namespace lamina::cli
