// Capability sets by name, and giving them up in the child.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/channel.h"

namespace lamina::runtime {

// Bit n is capability n of linux/capability.h.
using CapabilitySet = uint64_t;

constexpr CapabilitySet Bit(int capability) {
  return CapabilitySet{1} << capability;
}

// What this process may hand on, read once from /proc/self/status.
CapabilitySet HeldCapabilities();

// The default eleven (sandbox.md 4.2) with additions and removals by name,
// "NET_RAW" or "CAP_NET_RAW" or "ALL", in any case. Removals win.
absl::StatusOr<CapabilitySet> ChooseCapabilities(
    const std::vector<std::string>& add, const std::vector<std::string>& drop);

// Takes everything outside `set` out of the bounding set.
void LimitBoundingSet(const Channel& channel, CapabilitySet set);
// Sets the thread's sets; the ambient one is emptied.
void SetCapabilities(const Channel& channel, CapabilitySet permitted,
                     CapabilitySet inheritable);
void RaiseAmbient(CapabilitySet set);

}  // namespace lamina::runtime
