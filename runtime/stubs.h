// Empty mount targets that the command sees but never leaves behind.
//
// A mount needs something to be mounted on. Made in the upper folder it would
// end up in the image, so the targets live in a layer of our own below all
// others (sandbox.md 5). It lies beside the work folder, on the store's own
// file system: a layer on another one would give files and folders of the root
// different device numbers, and `cp -x` or `tar --one-file-system` would stop
// at them.
//
// Where the image hides that layer (a whiteout, an opaque folder, a symlink),
// a second layer goes on top of the image's instead. Its folders are copies of
// the image's, attributes included, so the upper folder stays untouched too.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/channel.h"

namespace lamina::runtime {

struct StubTarget {
  std::string path;  // Absolute and clean, never "/".
  bool is_folder = true;
  // Without it, a target that cannot be is no error.
  bool required = true;
};

// The folder beside the work folder with everything of one run that must be
// on a disk; removed at the end.
class StubFolder {
 public:
  static absl::StatusOr<StubFolder> Create(const std::string& work);
  StubFolder(StubFolder&& other) noexcept
      : path_(std::exchange(other.path_, "")) {}
  StubFolder& operator=(StubFolder&&) = delete;
  ~StubFolder();

  // A file or folder inside, with its parents.
  absl::Status AddFolder(absl::string_view name);
  absl::Status AddFile(absl::string_view name, absl::string_view text = "",
                       mode_t mode = 0644);
  absl::Status AddStubs(const std::vector<StubTarget>& targets);

  std::string Path(absl::string_view name) const;
  std::string bottom() const { return Path("bottom"); }
  std::string top() const { return Path("top"); }

 private:
  explicit StubFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// In the child: adds those targets to the folder `top` that are missing in
// `root`, and answers whether there were any.
bool AddHiddenStubs(const Channel& channel, int root, const char* top,
                    const std::vector<StubTarget>& targets);

}  // namespace lamina::runtime
