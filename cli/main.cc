// Finds the subcommand, parses its flags, runs it.
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/parse.h"

namespace lamina::cli {
namespace {

int Report(const absl::Status& status) {
  if (!status.ok()) {
    PrintError(status.message());
    if (absl::IsResourceExhausted(status)) {
      fputs(
          "note: free some space, e.g. with `lamina builder prune`, or choose "
          "another place with --root\n",
          stderr);
    }
  }
  return ExitCodeOf(status);
}

int RunCommand(const Command& command, const std::vector<std::string>& args) {
  if (AsksForHelp(command, args)) {
    return Report(PrintResult(CommandHelp(command)));
  }
  absl::StatusOr<Invocation> invocation = ParseArguments(command, args);
  if (!invocation.ok()) {
    return Report(invocation.status());
  }
  absl::StatusOr<int> code = command.run(*invocation);
  return code.ok() ? *code : Report(code.status());
}

int Help(const std::vector<std::string>& args) {
  const std::string name = args.size() == 2
                               ? absl::StrCat(args[0], " ", args[1])
                               : (args.empty() ? std::string() : args[0]);
  if (name.empty() || name[0] == '-') {
    return Report(PrintResult(OverviewHelp()));
  }
  const Command* command = FindCommand(name);
  return command == nullptr ? Report(UsageError(UnknownCommand(name)))
                            : Report(PrintResult(CommandHelp(*command)));
}

int Main(std::vector<std::string> args) {
  // A closed pipe is an error of write(2), where it can be told from others.
  std::signal(SIGPIPE, SIG_IGN);
  if (args.empty()) {
    return Help({});
  }
  const std::string first = args[0];
  args.erase(args.begin());
  if (first == "--version" || first == "-v") {
    return Report(PrintResult(absl::StrCat(VersionText(), "\n")));
  }
  if (first == "--help" || first == "-h" || first == "help") {
    return Help(args);
  }
  if (first == kCompleteCommand) {
    return Report(PrintResult(CompletionCandidates(args)));
  }
  if (const Command* command = FindCommand(first)) {
    return RunCommand(*command, args);
  }
  if (!args.empty()) {
    if (const Command* command =
            FindCommand(absl::StrCat(first, " ", args[0]))) {
      args.erase(args.begin());
      return RunCommand(*command, args);
    }
  }
  return Report(UsageError(UnknownCommand(first)));
}

}  // namespace
}  // namespace lamina::cli

int main(int argc, char** argv) {
  return lamina::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
}
