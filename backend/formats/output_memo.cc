#include "backend/formats/output_memo.h"

#include <sys/stat.h>

#include <climits>
#include <cstdlib>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr size_t kMostOutputs = 256;
constexpr size_t kLargestMemo = 4 << 20;

std::string MemoFile(const std::string& store_root) {
  return JoinPath(store_root, "outputs");
}

// The line of a file: DEVICE INODE SIZE MTIME CTIME RECIPE PATH. The change
// time cannot be set from outside, so every write to the file shows.
std::optional<std::string> DescribeOutput(const std::string& dest,
                                          const Digest& recipe) {
  struct stat status = {};
  char* real = realpath(dest.c_str(), nullptr);
  if (real == nullptr) {
    return std::nullopt;
  }
  std::string path = real;
  free(real);
  if (path.find('\n') != std::string::npos ||
      lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return absl::StrCat(status.st_dev, " ", status.st_ino, " ", status.st_size,
                      " ", status.st_mtim.tv_sec, ".", status.st_mtim.tv_nsec,
                      " ", status.st_ctim.tv_sec, ".", status.st_ctim.tv_nsec,
                      " ", recipe.hex(), " ", path);
}

std::vector<std::string> ReadMemo(const std::string& store_root) {
  absl::StatusOr<std::string> text =
      ReadFile(MemoFile(store_root), kLargestMemo);
  if (!text.ok()) {
    return {};
  }
  return absl::StrSplit(*text, '\n', absl::SkipEmpty());
}

absl::string_view PathOf(absl::string_view line) {
  std::vector<absl::string_view> fields =
      absl::StrSplit(line, absl::MaxSplits(' ', 6));
  return fields.size() == 7 ? fields[6] : absl::string_view();
}

}  // namespace

bool IsRemembered(const std::string& store_root, const std::string& dest,
                  const Digest& recipe) {
  std::optional<std::string> wanted = DescribeOutput(dest, recipe);
  if (!wanted.has_value()) {
    return false;
  }
  for (const std::string& line : ReadMemo(store_root)) {
    if (line == *wanted) {
      return true;
    }
  }
  return false;
}

absl::Status RememberOutput(const std::string& store_root,
                            const std::string& dest, const Digest& recipe) {
  std::optional<std::string> added = DescribeOutput(dest, recipe);
  if (!added.has_value()) {
    return absl::OkStatus();
  }
  std::vector<std::string> lines;
  for (std::string& line : ReadMemo(store_root)) {
    if (PathOf(line) != PathOf(*added)) {
      lines.push_back(std::move(line));
    }
  }
  lines.push_back(*std::move(added));
  if (lines.size() > kMostOutputs) {
    lines.erase(lines.begin(), lines.end() - kMostOutputs);
  }
  // Not synced: a lost memo costs one more copy, and a torn one matches no
  // file.
  return ReplaceFile(MemoFile(store_root),
                     absl::StrCat(absl::StrJoin(lines, "\n"), "\n"), 0600,
                     /*durable=*/false);
}

}  // namespace lamina::backend
