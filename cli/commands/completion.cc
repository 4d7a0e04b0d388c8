// lamina completion bash
#include "cli/completion.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/command.h"

namespace lamina::cli {
namespace {

absl::StatusOr<int> RunCompletion(const Invocation& invocation) {
  const std::string& shell = invocation.words()[0];
  if (shell != "bash") {
    return UsageError(
        absl::StrCat("no completion for `", shell, "`; there is one for bash"));
  }
  RETURN_IF_ERROR(PrintResult(BashCompletionScript()));
  return 0;
}

}  // namespace

constinit const Command kCompletion = {
    .name = "completion",
    .group = "Tooling",
    .summary = "print a script that completes command lines",
    .usage = "bash",
    .min_words = 1,
    .max_words = 1,
    .examples = "source <(lamina completion bash)",
    .run = RunCompletion,
};

}  // namespace lamina::cli
