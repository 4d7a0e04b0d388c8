// What one step wrote or deleted: the metadata of a layer.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/digest.h"

namespace lamina::ir {

enum class EntryType : char {
  kFile = 'f',
  kDirectory = 'd',
  kSymlink = 'l',
  kHardLink = 'h',
  kCharDevice = 'c',
  kBlockDevice = 'b',
  kFifo = 'p',
  kWhiteout = 'w',  // The path is deleted from the layers below.
  kOpaque = 'o',    // Everything below the folder `path` is deleted from the
                    // layers below; read from foreign layers, never written.
};

// One path of a layer. Paths are relative, clean, without a leading slash;
// the root itself is "".
struct Entry {
  std::string path;
  EntryType type = EntryType::kFile;
  uint32_t mode = 0;  // 07777 only.
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime = 0;   // Whole seconds since the epoch, floored.
  uint64_t size = 0;   // Files only, bytes.
  std::string link;    // Symlink: the target as written. Hard link: the path
                       // in this layer that has the bytes.
  uint32_t major = 0;  // Devices only.
  uint32_t minor = 0;
  std::map<std::string, std::string> xattrs;  // Only those a layer keeps.
  Digest digest;  // SHA-256 of a file's bytes; none while unknown.

  friend bool operator==(const Entry&, const Entry&) = default;
};

// Entries in the order of the layer tar (layers-and-archives.md 1.1): parents
// first, in each folder the whiteouts in byte order, then the others in byte
// order, each followed by what is below it.
struct StepDiff {
  std::vector<Entry> entries;
};

// Orders paths as a layer does: bytewise, with `/` as the lowest byte, so that
// a folder and all that is below it are neighbours.
struct PathLess {
  using is_transparent = void;
  bool operator()(absl::string_view a, absl::string_view b) const;
};

// True when `a` stands before `b` in a layer.
bool EntryBefore(const Entry& a, const Entry& b);
void SortEntries(StepDiff& diff);

// Sets times after `newest` to `newest`, as `tar --clamp-mtime` does.
inline constexpr int64_t kNoTimeLimit = std::numeric_limits<int64_t>::max();
void LimitTimes(StepDiff& diff, int64_t newest);

// One line an entry, stable; ParseStepDiff reads it back. Fields are separated
// by tabs: type, path, mode (octal), uid, gid, mtime, size, link, major, minor,
// digest in hex or `-`, then one `name=value` per xattr. Control characters,
// `\` and `=` in texts are written as `\` and two hex digits.
std::string PrintStepDiff(const StepDiff& diff);
absl::StatusOr<StepDiff> ParseStepDiff(absl::string_view text);

}  // namespace lamina::ir
