// Empty mount targets that the command sees but never leaves behind.
//
// A mount needs something to be mounted on. Made in the upper folder it would
// end up in the image, so the targets live in a layer of our own below all
// others (sandbox.md 5), on a tmpfs that only the sandbox has: nothing is left
// on a disk, whatever happens.
//
// Where the image hides that layer (a whiteout, an opaque folder, a symlink),
// a second layer goes on top of the image's instead. Its folders are copies of
// the image's, attributes included, so the upper folder stays untouched too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/channel.h"

namespace lamina::runtime {

struct StubTarget {
  std::string path;  // Absolute and clean, never "/".
  bool is_folder = true;
  // Without it, a target that cannot be is no error.
  bool required = true;
};

// Where the tmpfs is while the root is built: a folder of the host that is
// always there, not used meanwhile, and covered in our mount namespace only.
inline constexpr const char* kStubPoint = "/proc";
inline constexpr const char* kBottomStubs = "/proc/bottom";
inline constexpr const char* kTopStubs = "/proc/top";

// A file on the tmpfs, as a source for mounts.
struct StubFile {
  std::string name;
  std::string text;
  uint32_t mode = 0644;
  uint32_t uid = 0;
  uint32_t gid = 0;
};

// In the child: makes the layer below all others, an empty folder for the one
// on top, and the files.
void MountStubs(const Channel& channel, const std::vector<StubTarget>& targets,
                const std::vector<StubFile>& files);

// In the child: adds those targets to the top layer that are missing in `root`,
// and answers whether there were any.
bool AddHiddenStubs(const Channel& channel, int root,
                    const std::vector<StubTarget>& targets);

}  // namespace lamina::runtime
