#include "backend/verify_image.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/formats/chain.h"
#include "backend/test_raw_tar.h"
#include "backend/unpack.h"
#include "base/files.h"

namespace lamina::backend {
namespace {

using raw::Raw;

class VerifyImageTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::make_unique<TempDir>(*TempDir::Create());
    store_ = *Store::Open(folder_->path() + "/store", Durability::kNone);
  }

  // A layer on top of the others, with what its headers say as its record.
  void Add(const std::vector<Raw>& members, bool built_here = true) {
    const std::string tar = raw::Tar(members);
    absl::StatusOr<ir::StepDiff> diff = ScanLayer(*MakeMemorySource(tar));
    ASSERT_TRUE(diff.ok()) << diff.status();
    Add(tar, *diff, built_here);
  }

  void Add(const std::string& tar, const ir::StepDiff& diff, bool built_here) {
    const Digest digest = *store_->AddBlob(tar);
    chain_ = ChainId(chain_, digest);
    key_ = Sha256(key_.hex());
    const LayerId id = store_
                           ->AddLayer(*store_->ReserveLayer(),
                                      built_here ? key_ : chain_, diff, false)
                           ->id;
    blobs_.push_back({.diff_id = digest,
                      .digest = digest,
                      .size = tar.size(),
                      .tar_size = tar.size()});
    ASSERT_TRUE(store_->SetBlob(id, blobs_.back(), nullptr).ok());
    layers_.push_back(id);
  }

  ImageVerdict Verify(const VerifyOptions& options = {},
                      const std::string& history = "[]") {
    std::vector<std::string> ids;
    for (const LayerBlob& blob : blobs_) {
      ids.push_back(absl::StrCat("\"", blob.diff_id.ToString(), "\""));
    }
    absl::StatusOr<Image> image = store_->AddImage(
        absl::StrCat(R"({"architecture":"amd64","config":{},"history":)",
                     history,
                     R"(,"os":"linux","rootfs":{"type":"layers","diff_ids":[)",
                     absl::StrJoin(ids, ","), "]}}"),
        layers_, {});
    EXPECT_TRUE(image.ok()) << image.status();
    absl::StatusOr<ImageVerdict> verdict =
        VerifyImage(*image, *store_, options);
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return *verdict;
  }

  // Problems without the digests of layers.
  static std::string Lines(const std::vector<std::string>& lines) {
    std::vector<std::string> short_lines;
    for (const std::string& line : lines) {
      const size_t end = line.find("): ");
      short_lines.push_back(end == std::string::npos ? line
                                                     : line.substr(end + 3));
    }
    return absl::StrJoin(short_lines, "|");
  }

  std::unique_ptr<TempDir> folder_;
  std::unique_ptr<Store> store_;
  std::vector<LayerId> layers_;
  std::vector<LayerBlob> blobs_;
  Digest chain_, key_;
};

TEST_F(VerifyImageTest, FindsNothingWrongWithARightImage) {
  Raw root = raw::Folder(".");
  root.mode = 0711;
  Add({root,
       raw::Folder("d"),
       {"d/f", '0', "text"},
       raw::Symlink("d/l", "f"),
       raw::HardLink("d/m", "d/l"),
       raw::HardLink("d/n", "d/f")});
  Add({raw::Folder("d"), raw::Whiteout("d/.wh.f"), {"g", '0', ""}});
  const ImageVerdict verdict = Verify();
  EXPECT_TRUE(verdict.ok())
      << Lines(verdict.problems) << verdict.differences.size();
  EXPECT_EQ(verdict.layers, 2u);
  EXPECT_EQ(verdict.paths, 5u);
  EXPECT_EQ(verdict.tree.size(), 64u);
}

TEST_F(VerifyImageTest, HoldsLayersBuiltHereToOurOwnRules) {
  Add({{"a/f", '0', "t"}}, /*built_here=*/false);
  Add({raw::Whiteout("a/.wh..wh..opq")});
  ImageVerdict verdict = Verify();
  EXPECT_EQ(Lines(verdict.problems), "`a/.wh..wh..opq` is an opaque marker");
  EXPECT_EQ(Lines(verdict.notes),
            "`a/f` has no parent in the layer or below it");
  EXPECT_TRUE(verdict.differences.empty());
  verdict = Verify({.strict = true});
  EXPECT_EQ(verdict.problems.size(), 2u);
}

TEST_F(VerifyImageTest, ComparesTheRecordsWithTheLayers) {
  const std::string tar =
      raw::Tar({raw::Folder("."), {"f", '0', "text"}, raw::Folder("d")});
  ir::StepDiff diff = *ScanLayer(*MakeMemorySource(tar));
  for (ir::Entry& entry : diff.entries) {
    entry.uid = entry.path == "f" ? 7 : entry.uid;
    entry.mode = entry.path.empty() ? 0700 : entry.mode;
    entry.digest = entry.path == "f" ? Sha256("other") : Digest();
  }
  Add(tar, diff, true);
  const ImageVerdict verdict = Verify();
  std::vector<std::string> lines;
  for (const ir::TreeDifference& one : verdict.differences) {
    lines.push_back(absl::StrCat(one.path, " ", one.field));
  }
  EXPECT_EQ(absl::StrJoin(lines, "|"), "/ mode|f uid|f content");
  EXPECT_EQ(verdict.differences[1].first, "7");
  EXPECT_EQ(verdict.differences[1].second, "0");
  const ImageVerdict cut = Verify({.most_differences = 1});
  EXPECT_EQ(cut.differences.size(), 1u);
  EXPECT_TRUE(cut.more_differences);
}

TEST_F(VerifyImageTest, FindsHistoryThatDoesNotFit) {
  Add({{"f", '0', "t"}});
  EXPECT_TRUE(Verify({}, R"([{"created_by":"x"},{"empty_layer":true}])").ok());
  EXPECT_EQ(
      Lines(Verify({}, R"([{"created_by":"x"},{"created_by":"y"}])").problems),
      "configuration: its history writes 2 layers, but it has 1 diff "
      "ids");
}

TEST_F(VerifyImageTest, ChecksEveryStoredFormAndItsSizes) {
  Add({{"f", '0', "t"}});
  LayerBlob blob = blobs_[0];
  blob.tar_size += 512;
  ASSERT_TRUE(store_->SetBlob(layers_[0], blob, nullptr).ok());
  EXPECT_TRUE(absl::StrContains(Lines(Verify().problems),
                                "holds a tar of 2048 bytes instead of 2560"));
  ASSERT_TRUE(store_->SetBlob(layers_[0], blobs_[0], nullptr).ok());
  // Something else, recorded as the gzip form of this layer.
  const std::string other = raw::Tar({{"g", '0', "t"}});
  ASSERT_TRUE(store_
                  ->SetBlob(layers_[0],
                            {.diff_id = blobs_[0].diff_id,
                             .digest = *store_->AddBlob(other),
                             .size = other.size(),
                             .tar_size = other.size(),
                             .compression = Compression::kGzip},
                            nullptr)
                  .ok());
  const ImageVerdict verdict = Verify();
  EXPECT_EQ(Lines(verdict.problems),
            absl::StrCat("blob ", Sha256(other).ToString(),
                         " (gzip) holds the tar ", Sha256(other).ToString()));
  EXPECT_FALSE(verdict.tree.empty());
}

}  // namespace
}  // namespace lamina::backend
