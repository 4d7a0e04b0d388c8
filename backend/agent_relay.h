// The socket of an ssh agent as a step sees it: with the mode and owner of its
// mount, whoever owns the agent.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/files.h"

namespace lamina::backend {

struct AgentSocket {
  std::string agent;  // Path of the agent's own socket.
  mode_t mode = 0600;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Passes every connection to its socket on to the agent, from a thread of its
// own, until it goes.
class AgentRelay {
 public:
  static absl::StatusOr<std::unique_ptr<AgentRelay>> Start(
      const AgentSocket& socket);
  ~AgentRelay();
  AgentRelay(const AgentRelay&) = delete;
  AgentRelay& operator=(const AgentRelay&) = delete;

  std::string path() const { return JoinPath(folder_.path(), "agent"); }

 private:
  AgentRelay(std::string agent, TempDir folder)
      : agent_(std::move(agent)), folder_(std::move(folder)) {}

  absl::Status Listen(const AgentSocket& socket);
  void Work();
  void Accept();

  // The two ends of one connection.
  struct Pair {
    UniqueFd step;
    UniqueFd agent;
  };

  std::string agent_;
  TempDir folder_;
  UniqueFd listener_;
  UniqueFd stop_;  // An eventfd.
  std::vector<Pair> pairs_;
  std::thread thread_;
};

}  // namespace lamina::backend
