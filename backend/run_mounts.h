// What the mounts of a RUN show, and what the log must not show.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "backend/agent_relay.h"
#include "backend/cache_mount.h"
#include "base/files.h"
#include "ir/op.h"
#include "runtime/sandbox.h"

namespace lamina::backend {

// `--secret id=ID,src=FILE` or `,env=NAME`: read when a step asks for it.
struct SecretSource {
  std::string file;
  std::string variable;
};

// The text of a secret. Errors: no such file or variable, more than 500 KiB.
absl::StatusOr<std::string> ReadSecret(const std::string& id,
                                       const SecretSource& source);

// What the user hands to steps, by id. None of it is part of a cache key.
struct RunResources {
  std::map<std::string, SecretSource> secrets;
  std::map<std::string, std::string> agents;  // Sockets of ssh agents.
};

// Prepares the mounts of one step. Cache folders stay locked, as `sharing`
// says, and agents can be reached until this goes.
class StepMounts {
 public:
  // `caches` is the folder of cache mounts.
  StepMounts(std::string caches, const RunResources& resources)
      : caches_(std::move(caches)), resources_(resources) {}

  // `source` shows the input of a bind mount, `seed` has the files of a cache
  // that does not start empty. Errors: NotFound for a required secret or agent
  // that was not given.
  absl::Status Add(const ir::Mount& mount,
                   std::optional<runtime::SandboxMount> source,
                   const CacheSeed* seed = nullptr);
  // Moves mounts and variables into `spec`.
  absl::Status MoveInto(runtime::SandboxSpec& spec);
  // The secret texts that the step can see.
  const std::vector<std::string>& secrets() const { return secrets_; }

 private:
  absl::Status AddCache(const ir::Mount& mount, const CacheSeed* seed);
  absl::Status AddSecret(const ir::Mount& mount);
  absl::Status AddAgent(const ir::Mount& mount);

  std::string caches_;
  const RunResources& resources_;
  std::vector<runtime::SandboxMount> mounts_;
  std::vector<std::string> env_;
  std::vector<std::string> secrets_;
  std::vector<UniqueFd> locks_;
  std::vector<std::unique_ptr<AgentRelay>> relays_;
};

// Replaces secrets in a stream of bytes by `***`, also where a secret comes in
// several pieces.
class Redactor {
 public:
  // Texts of fewer than 4 bytes are left alone: they are everywhere.
  explicit Redactor(const std::vector<std::string>& secrets);
  // What can be shown now; the start of what may be a secret is held back.
  std::string Pass(absl::string_view bytes);
  std::string Rest();

 private:
  std::vector<std::string> secrets_;
  std::string held_;
};

}  // namespace lamina::backend
