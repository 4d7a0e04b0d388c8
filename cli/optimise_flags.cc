#include "cli/optimise_flags.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace lamina::cli {

absl::StatusOr<ir::OptimiseOptions> ReadOptimiseOptions(
    const Invocation& invocation) {
  ir::OptimiseOptions options;
  std::string text = invocation.Get("opt");
  std::optional<ir::OptLevel> level = ir::ParseOptLevel(text);
  if (!level.has_value()) {
    return UsageError(absl::StrCat("-O", text,
                                   " is not known; there are -O0, -O1, -O2 "
                                   "and -Os"));
  }
  options.level = *level;
  for (const std::string& pass : invocation.GetAll("pass")) {
    absl::Status status = ir::SetPass(pass, options);
    if (!status.ok()) {
      return UsageError(status.message());
    }
  }
  options.verify = invocation.GetBool("verify-passes");
  return options;
}

}  // namespace lamina::cli
