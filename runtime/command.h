// The last steps of the sandboxed process before it becomes the command.
#pragma once

#include "runtime/init.h"
#include "runtime/users.h"

namespace lamina::runtime {

struct CommandStreams {
  int in = -1;
  int out = -1;
  int err = -1;
};

// Never returns: the process becomes the command, or ends with 126 or 127 as
// shells do when there is no such program.
[[noreturn]] void RunCommand(const Channel& channel, const InitPlan& plan,
                             const Account& account, CommandStreams streams);

}  // namespace lamina::runtime
