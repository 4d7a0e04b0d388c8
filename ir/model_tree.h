// A file system small enough to reason about, and what build steps do to it:
// an oracle for tests of passes and layouts. Written from dockerfile.md 10 and
// the manual pages, not from the code it judges.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ir/layout/step_diff.h"
#include "ir/op.h"

namespace lamina::ir {

// The time of everything new, and so of changed folders.
inline constexpr int64_t kModelNow = 100;

struct ModelFile {
  Entry entry;    // Without its path. Hard links are files here.
  int inode = 0;  // Equal for the names of one file.

  friend bool operator==(const ModelFile&, const ModelFile&) = default;
};

// By clean relative path; the root is not in it.
class ModelTree {
 public:
  using Files = std::map<std::string, ModelFile>;
  const Files& files() const { return files_; }

  const ModelFile* Find(const std::string& path) const;
  bool IsFolder(const std::string& path) const;
  // As the kernel in a chroot; nothing for a loop or a file on the way.
  std::optional<std::string> Resolve(absl::string_view path,
                                     bool follow_last) const;

  void Put(const std::string& path, ModelFile file);
  void PutNew(const std::string& path, Entry entry);  // With an own inode.
  int NewInode() { return next_inode_++; }
  // Changes all names of a file.
  void Update(const std::string& path,
              const std::function<void(Entry&)>& change);
  void Erase(const std::string& path);  // With all below.
  // Makes what is missing. False where something else is in the way.
  bool MakeFolders(const std::string& path, uint32_t mode, uint32_t uid,
                   uint32_t gid);

  // Sets bits by a mode as chmod(1) or as COPY --chmod reads it.
  enum class ModeRules { kCommand, kCopy };
  static uint32_t ChangeMode(absl::string_view mode, const Entry& entry,
                             ModeRules rules);

  // One command without a shell's help: `echo TEXT > PATH`, `rm -rf`, `mv`,
  // `ln [-s]`, `mkdir -p`, `chmod [-R]`, `chown [-R]`. False: it failed.
  bool RunCommand(const Run& run);

 private:
  class Command;
  Files files_;
  int next_inode_ = 1;
};

// What a copy picks, or nothing if a source is not there.
struct ModelPick {
  std::string name;  // As in Facts::Picked.
  bool from_folder = false;
  int match = 0;
  ModelFile file;
};
std::optional<std::vector<ModelPick>> ListModel(const Copy& copy,
                                                const ModelTree& source);

// False: the copy failed.
bool CopyModel(const Copy& copy, const ModelTree* source, ModelTree& tree);

// What changed, as a layer says it.
StepDiff DiffModel(const ModelTree& before, const ModelTree& after);

// One line a path; the names of a file are told by the first of them.
std::string PrintModel(const ModelTree& tree);

}  // namespace lamina::ir
