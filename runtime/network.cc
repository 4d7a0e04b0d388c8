#include "runtime/network.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"

namespace lamina::runtime {
namespace {

bool OnlyServerIsResolved(absl::string_view text) {
  bool found = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() < 2 || words[0] != "nameserver") {
      continue;
    }
    if (words[1] != "127.0.0.53") {
      return false;
    }
    found = true;
  }
  return found;
}

}  // namespace

std::string HostsText(const SandboxSpec& spec) {
  std::string text =
      absl::StrCat("127.0.0.1\tlocalhost ", spec.hostname,
                   "\n::1\tlocalhost ip6-localhost ip6-loopback\n");
  for (const auto& [name, address] : spec.extra_hosts) {
    absl::StrAppend(&text, address, "\t", name, "\n");
  }
  return text;
}

std::string ResolvConfText(const SandboxSpec& spec) {
  if (!spec.resolv_conf.empty()) {
    return spec.resolv_conf;
  }
  std::string text = ReadFile("/etc/resolv.conf").value_or("");
  if (OnlyServerIsResolved(text)) {
    absl::StatusOr<std::string> real =
        ReadFile("/run/systemd/resolve/resolv.conf");
    if (real.ok()) {
      return *std::move(real);
    }
  }
  return text;
}

void RaiseLoopback(const Channel& channel) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  strcpy(request.ifr_name, "lo");
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
    channel.Fail(errno, "find the loopback device");
  }
  request.ifr_flags |= IFF_UP;
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
    channel.Fail(errno, "raise the loopback device");
  }
  close(fd);
}

}  // namespace lamina::runtime
