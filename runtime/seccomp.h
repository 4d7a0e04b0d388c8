// The system call filter: moby's default profile (sandbox.md 7).
#pragma once

#include <linux/filter.h>

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/capabilities.h"
#include "runtime/channel.h"

namespace lamina::runtime {

// BPF that the kernel takes as it is.
using SeccompProgram = std::vector<sock_filter>;

// Compiles filters once per set of capabilities, since some calls are allowed
// only together with a capability. Thread-safe.
class SeccompPrograms {
 public:
  // The program lives as long as this object.
  absl::StatusOr<const SeccompProgram*> Get(CapabilitySet capabilities);

 private:
  std::mutex mutex_;
  std::map<CapabilitySet, SeccompProgram> programs_;
};

// In the child; needs CAP_SYS_ADMIN or no_new_privs at this moment.
void LoadSeccomp(const Channel& channel, const SeccompProgram& program);

}  // namespace lamina::runtime
