// Private keys from files behind the socket of an ssh agent, as long as a build
// lasts: for `--ssh ID=KEY`. The agent is OpenSSH's.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/files.h"

namespace lamina::backend {

class KeyAgent {
 public:
  // Errors: NotFound (no ssh-agent on this machine), InvalidArgument (a file is
  // no key, is readable by others, or needs a passphrase; ssh-add's words).
  static absl::StatusOr<std::unique_ptr<KeyAgent>> Start(
      const std::vector<std::string>& key_files);
  ~KeyAgent();
  KeyAgent(const KeyAgent&) = delete;
  KeyAgent& operator=(const KeyAgent&) = delete;

  std::string socket() const { return JoinPath(folder_.path(), "agent"); }

 private:
  explicit KeyAgent(TempDir folder) : folder_(std::move(folder)) {}

  TempDir folder_;
  pid_t agent_ = 0;
};

}  // namespace lamina::backend
