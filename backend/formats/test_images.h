// Small images in a temporary store, and the peers that read them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/formats/formats.h"
#include "base/files.h"
#include "gtest/gtest.h"

namespace lamina::backend {

// An entry and, for a file, its bytes.
struct TestEntry {
  ir::Entry entry;
  std::string bytes;
};

TestEntry File(const std::string& path, const std::string& bytes,
               uint32_t mode = 0644);
TestEntry Folder(const std::string& path, uint32_t mode = 0755);
TestEntry Link(const std::string& path, const std::string& target,
               ir::EntryType type = ir::EntryType::kSymlink);
TestEntry Whiteout(const std::string& path);

// The bytes of a tar with these entries, in this order.
std::string Tar(const std::vector<TestEntry>& entries);

// What a command printed on both channels, and how it ended.
struct Ran {
  int code = 0;
  std::string output;
};
Ran Shell(const std::string& command);

std::string Slurp(const std::string& path);

// Why a test that needs root and these programs must be skipped, or "".
std::string Missing(const std::vector<std::string>& programs,
                    bool needs_root = true);

#define SKIP_WITHOUT(...)                                       \
  do {                                                          \
    if (std::string why = Missing(__VA_ARGS__); !why.empty()) { \
      GTEST_SKIP() << why;                                      \
    }                                                           \
  } while (false)

class FormatsTest : public testing::Test {
 protected:
  void SetUp() override;

  std::string Path(const std::string& name) const {
    return JoinPath(folder_->path(), name);
  }
  // A new store beside the first one.
  std::unique_ptr<Store> NewStore(const std::string& name) const;
  // Adds an image of these layers, bottom to top, to `store`.
  ExportImage AddImage(Store& store,
                       const std::vector<std::vector<TestEntry>>& layers,
                       const std::vector<std::string>& names);
  // An image of three layers with every kind of entry, named app:1 and
  // registry.example/team/app:2.
  ExportImage SampleImage(Store& store);
  absl::Status Write(Store& store, const std::vector<ExportImage>& images,
                     const std::string& type, const std::string& dest,
                     Compression compression = Compression::kNone);
  absl::StatusOr<std::vector<LoadedImage>> Load(Store& store,
                                                const std::string& path);
  absl::StatusOr<std::vector<LoadedImage>> LoadBytes(Store& store,
                                                     const std::string& bytes);

  std::unique_ptr<TempDir> folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace lamina::backend
