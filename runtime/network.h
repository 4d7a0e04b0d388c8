// The little network set-up that a sandbox has: the loopback device of an own
// network namespace, and the texts of /etc/hosts and /etc/resolv.conf.
#pragma once

#include <string>

#include "runtime/channel.h"
#include "runtime/sandbox.h"

namespace lamina::runtime {

std::string HostsText(const SandboxSpec& spec);

// The spec's text or the host's. Where systemd-resolved's stub is the only
// server, its list of real servers is used instead.
std::string ResolvConfText(const SandboxSpec& spec);

// In the child.
void RaiseLoopback(const Channel& channel);

}  // namespace lamina::runtime
