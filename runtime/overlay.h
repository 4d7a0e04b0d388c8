// The root of a sandbox: an overlay of read-only folders with a writable one.
//
// A kernel takes 500 folders, and without `lowerdir+` only one page of mount
// data. Above that the bottom folders are merged first in a nested read-only
// overlay. This is sound for the bottom only: nothing lies below it that a
// whiteout inside it would have to hide.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/channel.h"

namespace lamina::runtime {

// Folders top first; names may be relative to the working directory of the
// child at the time of the mount.
struct OverlayMount {
  std::vector<std::string> lowers;
  std::string upper;  // Empty: read-only.
  std::string work;
  bool append = false;  // Each folder is handed over alone (lowerdir+).
  std::string data;     // Else all of them as options of mount(2).
};

struct OverlayPlan {
  std::string base;     // The child's working directory meanwhile.
  std::string bottom;   // The lowest folder; the nested overlay covers it.
  OverlayMount nested;  // No lowers: not needed.
  OverlayMount root;
  OverlayMount root_with_top;  // The same with `top` as the first lower.
  std::string mount_point;
  std::string incompat;  // See ForgetVolatile.
};

// What this kernel can do; asked once per process.
struct OverlayFeatures {
  bool append = false;
  bool user_xattr = false;  // For mounts inside a user namespace.
};
OverlayFeatures ProbeOverlay(bool in_user_namespace);

struct OverlayFolders {
  std::string base;
  std::vector<std::string> lowers;
  std::string top;     // Extra folders of the sandbox itself, above
  std::string bottom;  // and below the lowers.
  std::string upper;
  std::string work;
};

absl::StatusOr<OverlayPlan> PlanOverlay(const OverlayFolders& folders,
                                        const OverlayFeatures& features);

// One overlay that is not the root, for writes that are thrown away. Errors:
// more `lowers` than this kernel takes at once.
absl::StatusOr<OverlayMount> PlanScratchOverlay(
    std::vector<std::string> lowers, const std::string& upper,
    const std::string& work, const OverlayFeatures& features);

// An unsynced overlay leaves a mark in its work folder and refuses to be
// mounted there again. Nothing is lost by removing it: what counts is synced by
// whoever commits the upper folder. For both sides of the clone.
void ForgetVolatile(const OverlayPlan& plan);

// In the child. Both answer the descriptor of the mounted root.
int MountRoot(const Channel& channel, const OverlayPlan& plan);
int RemountWithTop(const Channel& channel, const OverlayPlan& plan, int root);
// Mounts on the folder `target` and answers its descriptor.
int MountOverlay(const Channel& channel, const OverlayMount& overlay,
                 const char* target);

}  // namespace lamina::runtime
