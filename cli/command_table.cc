// The table of all subcommands.
#include "cli/command.h"

namespace lamina::cli {

const std::vector<const Command*>& AllCommands() {
  static const std::vector<const Command*>& commands =
      *new std::vector<const Command*>{
#define COMMAND(name) &name,
#include "cli/commands/commands.def"
#undef COMMAND
      };
  return commands;
}

const Command* FindCommand(absl::string_view name) {
  for (const Command* command : AllCommands()) {
    if (command->name == name) {
      return command;
    }
  }
  return nullptr;
}

}  // namespace lamina::cli
