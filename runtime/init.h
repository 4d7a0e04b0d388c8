// The child's side of a run: everything that happens between clone and exec.
//
// The supervisor has several threads, so the child starts with whatever locks
// they held: it allocates nothing, takes no lock, and works on an InitPlan
// that was complete before the clone.
#pragma once

#include <string>
#include <vector>

#include "runtime/capabilities.h"
#include "runtime/mounts.h"
#include "runtime/overlay.h"
#include "runtime/seccomp.h"
#include "runtime/stubs.h"

namespace lamina::runtime {

struct InitPlan {
  // Descriptors, all close-on-exec. `kept_fds` lists those that the child
  // needs, in ascending order; all others are closed at once.
  int report_fd = -1;
  int stdin_fd = -1;  // -1: /dev/null of the sandbox.
  int stdout_fd = -1;
  int stderr_fd = -1;
  bool owns_output = false;  // Our pipes: handed to the command's user.
  bool tty = false;
  std::vector<int> kept_fds;

  bool user_namespace = false;
  bool own_network = false;
  std::string uid_map;
  std::string gid_map;

  OverlayPlan overlay;
  std::vector<StubTarget> targets;
  std::vector<StubFile> files;
  MountPlan mounts;
  std::string hostname;

  std::string user;
  std::string working_dir;
  bool create_working_dir = true;
  bool read_only_root = false;
  bool no_new_privileges = false;
  bool insecure = false;
  CapabilitySet capabilities = 0;
  const SeccompProgram* seccomp = nullptr;  // None: no filter.

  std::vector<const char*> args;  // Each ends with a null pointer.
  std::vector<const char*> env;   // Its last slot is free, for HOME.
  bool needs_home = false;
  std::string search_path;  // PATH of the command.
};

// Pid 1 of the sandbox; never returns.
[[noreturn]] void RunInit(const InitPlan& plan);

}  // namespace lamina::runtime
