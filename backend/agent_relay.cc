#include "backend/agent_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

UniqueFd NewSocket() {
  return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

// The address of `path`, however long it is: by its folder's descriptor.
absl::StatusOr<sockaddr_un> Address(const std::string& path, UniqueFd& folder) {
  ASSIGN_OR_RETURN(folder,
                   OpenFile(std::string(DirName(path)), O_PATH | O_DIRECTORY));
  std::string name =
      absl::StrCat("/proc/self/fd/", folder.get(), "/", BaseName(path));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name of the socket ", path, " is too long"));
  }
  memcpy(address.sun_path, name.data(), name.size());
  return address;
}

absl::StatusOr<UniqueFd> Connect(const std::string& path) {
  UniqueFd folder;
  ASSIGN_OR_RETURN(sockaddr_un address, Address(path, folder));
  UniqueFd connection = NewSocket();
  if (!connection.valid() ||
      connect(connection.get(), reinterpret_cast<sockaddr*>(&address),
              sizeof(address)) != 0) {
    return ErrnoError(absl::StrCat("connect to ", path));
  }
  return connection;
}

// Who does not read for so long is cut off: one step must not stop another's.
void LimitWaiting(int connection) {
  timeval limit = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

// Passes on what has arrived; false at the end of the connection.
bool Pass(int from, int to) {
  char buffer[16 * 1024];
  ssize_t size = recv(from, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    return true;
  }
  for (ssize_t sent = 0; sent < size;) {
    ssize_t part = send(to, buffer + sent, size - sent, MSG_NOSIGNAL);
    if (part < 0 && errno != EINTR) {
      return false;
    }
    sent += part > 0 ? part : 0;
  }
  return size > 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AgentRelay>> AgentRelay::Start(
    const AgentSocket& socket) {
  ASSIGN_OR_RETURN(TempDir folder, TempDir::Create());
  std::unique_ptr<AgentRelay> relay(
      new AgentRelay(socket.agent, std::move(folder)));
  RETURN_IF_ERROR(relay->Listen(socket));
  relay->thread_ = std::thread([raw = relay.get()] { raw->Work(); });
  return relay;
}

AgentRelay::~AgentRelay() {
  uint64_t one = 1;
  if (thread_.joinable()) {
    CHECK(write(stop_.get(), &one, sizeof(one)) == sizeof(one));
    thread_.join();
  }
}

absl::Status AgentRelay::Listen(const AgentSocket& socket) {
  stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  listener_ = NewSocket();
  UniqueFd folder;
  ASSIGN_OR_RETURN(sockaddr_un address, Address(path(), folder));
  bool other_owner = socket.uid != 0 || socket.gid != 0;
  if (!stop_.valid() || !listener_.valid() ||
      bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
           sizeof(address)) != 0 ||
      (other_owner && chown(path().c_str(), socket.uid, socket.gid) != 0) ||
      chmod(path().c_str(), socket.mode) != 0 ||
      listen(listener_.get(), SOMAXCONN) != 0) {
    return ErrnoError(absl::StrCat("make the agent's socket ", path()));
  }
  return absl::OkStatus();
}

void AgentRelay::Work() {
  while (true) {
    std::vector<pollfd> waits = {{stop_.get(), POLLIN, 0},
                                 {listener_.get(), POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      waits.push_back({pair.step.get(), POLLIN, 0});
      waits.push_back({pair.agent.get(), POLLIN, 0});
    }
    if (poll(waits.data(), waits.size(), -1) < 0) {
      continue;
    }
    if (waits[0].revents != 0) {
      return;
    }
    for (size_t i = pairs_.size(); i-- > 0;) {
      const Pair& pair = pairs_[i];
      bool open = (waits[2 * i + 2].revents == 0 ||
                   Pass(pair.step.get(), pair.agent.get())) &&
                  (waits[2 * i + 3].revents == 0 ||
                   Pass(pair.agent.get(), pair.step.get()));
      if (!open) {
        pairs_.erase(pairs_.begin() + i);
      }
    }
    if (waits[1].revents != 0) {
      Accept();
    }
  }
}

void AgentRelay::Accept() {
  Pair pair;
  pair.step =
      UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  absl::StatusOr<UniqueFd> agent = Connect(agent_);
  // An agent that is gone looks like one that hangs up.
  if (pair.step.valid() && agent.ok()) {
    pair.agent = *std::move(agent);
    LimitWaiting(pair.step.get());
    LimitWaiting(pair.agent.get());
    pairs_.push_back(std::move(pair));
  }
}

}  // namespace lamina::backend
