// Mounts inside the root: the kernel's own file systems, the files we provide,
// what the caller asked for, and what is hidden or read-only.
//
// Every target is opened by descriptor inside the root, so that no symlink of
// the image can send a mount elsewhere (security.md S3, S4).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "runtime/channel.h"
#include "runtime/overlay.h"

namespace lamina::runtime {

struct ExtraMount {
  enum class Type { kTree, kTmpfs, kScratch, kOverlay };
  Type type = Type::kTree;
  std::string target;
  bool is_folder = true;
  uint64_t attributes = 0;  // MOUNT_ATTR_...
  UniqueFd tree;            // kTree, kScratch: a detached copy of the source,
  std::string source;       // or its path where only the child may copy it.
  std::string size;         // kTmpfs, bytes; "" is no limit.
  std::string mode;         // kTmpfs, octal.
  bool required = true;
  std::string lower_point;  // kScratch: folders on the host to mount on.
  std::string scratch_point;  // Also of kOverlay; `source` is inside it.
  OverlayMount scratch;
};

struct MountPlan {
  bool user_namespace = false;
  bool insecure = false;
  bool own_network = false;
  bool cgroup = false;  // Version 2 with an own cgroup namespace.
  std::string shm_size;
  std::vector<std::pair<std::string, std::string>> scripts;
  std::vector<ExtraMount> extra;    // In the order of mounting.
  std::vector<std::string> masked;  // Below /proc or /sys.
  std::vector<std::string> read_only;
};

// The standard lists (sandbox.md 3.3); the CPUs' entries are looked up.
std::vector<std::string> MaskedPaths();
std::vector<std::string> ReadOnlyPaths();

// In the child. A new file system, not attached yet; options are name and
// value, or a name alone.
struct MountOption {
  const char* name;
  const char* value;
};
int NewMount(const Channel& channel, const char* type, uint64_t attributes,
             const MountOption* options, size_t count);
// Attaches to `target` below the directory `folder`, never through a symlink.
void AttachInside(const Channel& channel, int tree, int folder,
                  const char* target);

// All mounts below `root`; answers the descriptor of the sandbox's /dev.
int MountEverything(const Channel& channel, const MountPlan& plan, int root);

}  // namespace lamina::runtime
