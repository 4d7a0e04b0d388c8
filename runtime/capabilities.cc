#include "runtime/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::runtime {
namespace {

// In the order of linux/capability.h.
constexpr const char* kNames[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};
static_assert(std::size(kNames) == CAP_CHECKPOINT_RESTORE + 1);

constexpr CapabilitySet kDefault =
    Bit(CAP_CHOWN) | Bit(CAP_DAC_OVERRIDE) | Bit(CAP_FOWNER) | Bit(CAP_FSETID) |
    Bit(CAP_KILL) | Bit(CAP_NET_BIND_SERVICE) | Bit(CAP_SETFCAP) |
    Bit(CAP_SETGID) | Bit(CAP_SETPCAP) | Bit(CAP_SETUID) | Bit(CAP_SYS_CHROOT);

absl::StatusOr<CapabilitySet> ParseName(const std::string& text) {
  std::string name = absl::AsciiStrToUpper(text);
  if (name == "ALL") {
    return ~CapabilitySet{0};
  }
  absl::string_view bare = absl::StripPrefix(name, "CAP_");
  for (size_t index = 0; index < std::size(kNames); ++index) {
    if (bare == kNames[index]) {
      return Bit(static_cast<int>(index));
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown capability `", text, "`"));
}

}  // namespace

CapabilitySet HeldCapabilities() {
  absl::StatusOr<std::string> status = ReadFile("/proc/self/status");
  if (!status.ok()) {
    return 0;
  }
  size_t at = status->find("\nCapPrm:");
  return at == std::string::npos
             ? 0
             : strtoull(status->c_str() + at + sizeof("\nCapPrm:"), nullptr,
                        16);
}

absl::StatusOr<CapabilitySet> ChooseCapabilities(
    const std::vector<std::string>& add, const std::vector<std::string>& drop) {
  CapabilitySet set = kDefault;
  CapabilitySet dropped = 0;
  for (const std::string& name : drop) {
    ASSIGN_OR_RETURN(CapabilitySet bits, ParseName(name));
    dropped |= bits;
  }
  // `--cap-drop=ALL --cap-add=X` means X alone, as docker has it.
  if (dropped == ~CapabilitySet{0}) {
    set = 0;
    dropped = 0;
  }
  for (const std::string& name : add) {
    ASSIGN_OR_RETURN(CapabilitySet bits, ParseName(name));
    set |= bits;
  }
  return set & ~dropped;
}

void LimitBoundingSet(const Channel& channel, CapabilitySet set) {
  for (int capability = 0; capability < 64; ++capability) {
    if ((set & Bit(capability)) != 0) {
      continue;
    }
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      if (errno == EINVAL) {
        return;  // The kernel knows no more capabilities.
      }
      channel.Fail(errno, "drop a capability");
    }
  }
}

void SetCapabilities(const Channel& channel, CapabilitySet permitted,
                     CapabilitySet inheritable) {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (int half = 0; half < 2; ++half) {
    data[half].permitted = static_cast<uint32_t>(permitted >> (32 * half));
    data[half].effective = data[half].permitted;
    data[half].inheritable = static_cast<uint32_t>(inheritable >> (32 * half));
  }
  if (syscall(SYS_capset, &header, data) != 0) {
    channel.Fail(errno, "set capabilities");
  }
}

void RaiseAmbient(CapabilitySet set) {
  for (int capability = 0; capability < 64; ++capability) {
    if ((set & Bit(capability)) != 0) {
      prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
    }
  }
}

}  // namespace lamina::runtime
