// The layer lock: the layout of the previous release, kept in a file beside the
// build file so that releases share layers (optimiser.md 6.5).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina::ir {

struct LockedLayer {
  friend bool operator==(const LockedLayer&, const LockedLayer&) = default;

  std::vector<std::string> atoms;  // Partition mode; ids such as "deb:libc6".
  std::string cut;                 // Chain mode: normalised text of the step
                                   // before the cut; empty for the last layer.
  std::string role;                // "base-changes", "normal", "new", "index".
  std::string diff_id;             // "sha256:..."; empty before emission.
  uint64_t bytes = 0;
};

// A year of weekly releases.
inline constexpr int kLockHistory = 52;

struct LayerLock {
  std::string target;  // Name of the image's target.
  std::string mode;    // "partition" or "chain".
  std::string base;    // Digest of the base image's config, or "scratch".
  int64_t alpha = 0, beta = 0, gamma = 0, delta = 0;
  std::string writer;  // Canonical JSON of the writer's settings: tar form,
                       // compression, engine, level.
  std::vector<LockedLayer> layers;  // Bottom to top.
  int epochs = 0;  // Releases that `changed` tells of, at most kLockHistory:
                   // of more the oldest are forgotten.
  std::map<std::string, std::string> changed;  // Atom: change vector in hex,
                                               // bit w = release w.
  // For telling what changed in the next release: content digest of each atom.
  // In chain mode the atoms of both maps and of the shadow are steps, by their
  // normalised text ("#2" added to the second of equal ones, and so on).
  std::map<std::string, std::string> contents;
  int shadow_since = 0;
  std::vector<std::vector<std::string>> shadow;  // Atoms of each layer.
  int64_t regret = 0;                            // Bytes.

  friend bool operator==(const LayerLock&, const LayerLock&) = default;
};

// Canonical JSON with a final newline. A lock is never half understood: text
// that is damaged, of another version, or that names an atom twice is an error
// that says where and what to do.
absl::StatusOr<LayerLock> ParseLayerLock(absl::string_view text);
std::string PrintLayerLock(const LayerLock& lock);

// Why a build of this target and mode cannot follow the lock, and what to do;
// empty if it can. Another base or writer is no reason: the layout is kept or
// drawn anew, as it is cheaper for clients.
std::string CheckLock(const LayerLock& lock, absl::string_view target,
                      absl::string_view mode);

}  // namespace lamina::ir
