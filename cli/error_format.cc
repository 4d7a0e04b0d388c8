#include "cli/error_format.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace lamina::cli {

absl::StatusOr<RenderOptions> ReadRenderOptions(const Invocation& invocation) {
  RenderOptions options;
  options.version = LAMINA_VERSION;
  std::string format = invocation.Get("error-format");
  if (format == "json") {
    options.format = ErrorFormat::kJson;
  } else if (format == "short") {
    options.format = ErrorFormat::kShort;
  } else if (format == "sarif") {
    options.format = ErrorFormat::kSarif;
  } else if (format != "human") {
    return UsageError(absl::StrCat(
        "--error-format is human, short, json or sarif, not `", format, "`"));
  }
  const char* no_colour = getenv("NO_COLOR");
  options.colour =
      isatty(STDERR_FILENO) && (no_colour == nullptr || *no_colour == '\0');
  return options;
}

}  // namespace lamina::cli
