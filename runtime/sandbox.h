// Runs one command in a sandbox of namespaces (sandbox.md). Knows nothing of
// images: it is given folders, a command and a result comes back.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace lamina::runtime {

enum class Network { kHost, kNone };

// One more mount inside the sandbox, beyond /proc, /sys, /dev.
struct SandboxMount {
  enum class Type {
    kBind,     // A path on the host.
    kTmpfs,    // An empty folder in memory.
    kFile,     // `content` in memory; nothing of it reaches a disk.
    kOverlay,  // A path of the merged tree of `lowers`; writes are discarded.
  };
  Type type = Type::kBind;
  std::string source;  // kBind: opened before the clone. kOverlay: inside.
  std::string target;  // Absolute, resolved inside the root.
  bool read_only = false;
  bool nosuid = false;
  bool nodev = true;
  bool noexec = false;
  // kBind: writes go to a throw-away upper folder and are discarded.
  bool discard_writes = false;
  int64_t size = 0;    // kTmpfs, bytes; 0 is no limit.
  uint32_t mode = 01777;  // kTmpfs, kFile
  std::string content;    // kFile
  uint32_t uid = 0;       // kFile
  uint32_t gid = 0;
  std::vector<std::string> lowers;  // kOverlay: folders, top first.
  bool is_folder = true;            // kOverlay: what `source` is.
};

struct SandboxSpec {
  // The root: an overlay of read-only folders, top first, with a writable
  // layer. Relative names are relative to `lower_base`, which keeps the mount
  // data short (one page on kernels without lowerdir+).
  std::string lower_base;
  std::vector<std::string> lowers;
  // The upper folder's own attributes become those of the root. Nothing in it
  // is synced: whoever keeps it does that.
  std::string upper;  // Absolute; both on the file system of the store.
  std::string work;

  std::vector<std::string> args;
  std::vector<std::string> env;     // NAME=value; PATH and HOME are added.
  std::string user;                 // user[:group], names or numbers.
  std::string working_dir = "/";
  bool create_working_dir = true;   // `run -w`, RUN with a missing WORKDIR.
  std::string hostname = "buildkitsandbox";
  Network network = Network::kHost;
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name, IP
  std::vector<SandboxMount> mounts;
  // Files that exist only in the sandbox, below /dev/pipes/, mode 0755.
  std::vector<std::pair<std::string, std::string>> scripts;
  bool insecure = false;            // All capabilities, no seccomp, no masks.
  bool no_new_privileges = false;
  bool read_only_root = false;
  std::vector<std::string> cap_add;   // "NET_RAW", or "ALL".
  std::vector<std::string> cap_drop;
  int64_t shm_size = 65536 * 1024;  // Bytes.
  std::string resolv_conf;  // Text for /etc/resolv.conf; empty: the host's.

  // Standard streams of the command. Not valid: stdin is /dev/null, the
  // output goes to `on_output`.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  // Gives the command a pseudo terminal that is relayed to fds 0 and 1 of
  // this process (run -t).
  bool tty = false;

  // Set to a signal number by another thread to stop the command: it is sent
  // to the command, and SIGKILL after `grace_ms`.
  const std::atomic<int>* cancel = nullptr;
  int grace_ms = 10'000;
};

struct SandboxResult {
  int exit_code = 0;   // 128+n when a signal ended it; 126, 127 as in shells.
  int signal = 0;      // Not zero when a signal ended the command.
};

// Called with raw bytes as they arrive, from the thread that called Run.
// `stream` is 1 or 2.
using OutputSink = std::function<void(int stream, absl::string_view bytes)>;

class Sandbox {
 public:
  virtual ~Sandbox() = default;

  // Runs the command and waits; when it returns, every process of the sandbox
  // is gone and nothing is mounted. Thread-safe. A command that fails is a
  // result; an error means that the sandbox could not be set up, and says at
  // which stage and why.
  virtual absl::StatusOr<SandboxResult> Run(const SandboxSpec& spec,
                                            const OutputSink& on_output) = 0;
};

// The sandbox made straight on the kernel. Needs root or CAP_SYS_ADMIN, or
// unprivileged user namespaces.
std::unique_ptr<Sandbox> MakeKernelSandbox();

}  // namespace lamina::runtime
