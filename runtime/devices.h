// The sandbox's own /dev.
#pragma once

#include "runtime/channel.h"
#include "runtime/mounts.h"

namespace lamina::runtime {

// A filled tmpfs that is not attached yet.
int MakeDevices(const Channel& channel, const MountPlan& plan);

// The file systems below an attached /dev: pts, shm, mqueue.
void MountBelowDevices(const Channel& channel, const MountPlan& plan, int dev);

// A new terminal of the sandbox's devpts.
struct Terminal {
  int master = -1;
  int slave = -1;
};
Terminal OpenTerminal(const Channel& channel, int dev);

}  // namespace lamina::runtime
