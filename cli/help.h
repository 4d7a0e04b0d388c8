// Help made from the table of commands.
#pragma once

#include <string>

#include "cli/command.h"

namespace lamina::cli {

std::string OverviewHelp();
std::string CommandHelp(const Command& command);
// "lamina 0.1.0".
std::string VersionText();

// The message for a command that does not exist, with a hint.
std::string UnknownCommand(absl::string_view name);

}  // namespace lamina::cli
