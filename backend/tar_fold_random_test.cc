#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/tar_fold.h"
#include "backend/test_raw_tar.h"
#include "backend/unpack.h"
#include "base/files.h"
#include "ir/layout/tree_digest.h"

namespace lamina::backend {
namespace {

using namespace raw;  // NOLINT: the words of these tests.
using ir::EntryType;

TEST(TarFold, DoesNotCareHowTheBytesAreCut) {
  const std::string tar =
      Tar({Folder("d"),
           Raw{.name = "x",
               .content = std::string(1000, 'c'),
               .pax = {{"path", "d/" + std::string(200, 'p')}}},
           {"d/e", '0', ""},
           {"d/f", '0', std::string(512, 'f')},
           HardLink("d/h", "d/f"),
           Symlink("l", "d")});
  TarFold whole;
  ASSERT_TRUE(whole.Add(tar).ok() && whole.EndLayer().ok());
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    TarFold cut;
    for (size_t at = 0; at < tar.size();) {
      const size_t size = round == 0 ? 1 : random() % (round * 20);
      ASSERT_TRUE(cut.Add(absl::string_view(tar).substr(at, size)).ok());
      at += size;
    }
    ASSERT_TRUE(cut.EndLayer().ok());
    ASSERT_EQ(cut.states().size(), whole.states().size());
    for (const auto& [path, state] : whole.states()) {
      const ir::PathState& other = cut.states().at(path);
      EXPECT_EQ(state.body, other.body);
      EXPECT_EQ(state.size, other.size);
      EXPECT_EQ(state.mode, other.mode);
    }
  }
}

TEST(TarFold, NoticesEveryCut) {
  const std::string tar =
      Tar({{"a", '0', "text"},
           Raw{.name = "x", .content = "t", .pax = {{"path", "long"}}}});
  for (size_t size = 0; size < tar.size(); ++size) {
    TarFold fold(TarRules::kForeign);
    ASSERT_TRUE(fold.Add(absl::string_view(tar).substr(0, size)).ok());
    // Between members and in the end blocks; an extended header is no member.
    const bool border =
        size == 0 || size == 1024 || size == 3072 || size == 3584;
    EXPECT_EQ(fold.EndLayer().ok(), border) << size << " of " << tar.size();
  }
}

TEST(TarFold, SurvivesDamage) {
  const std::string tar =
      Tar({Folder("d"),
           Raw{.name = "x",
               .content = std::string(700, 'c'),
               .pax = {{"path", "d/y"}, {"mtime", "1.5"}}},
           HardLink("d/h", "d/y"), Symlink("l", "d"), Whiteout("d/.wh.z")});
  std::mt19937_64 random(11);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bad = tar;
    for (uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    if (round % 2 == 0) {  // Past the checksum.
      for (size_t at = 0; at + 512 <= bad.size(); at += 512) {
        if (bad.compare(at + 257, 5, "ustar") == 0) {
          std::string block = bad.substr(at, 512);
          Sum(block);
          bad.replace(at, 512, block);
        }
      }
    }
    TarFold fold(TarRules::kForeign);
    absl::Status status = fold.Add(bad);
    status.Update(fold.EndLayer());
    refused += status.ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 500);
}

// Layers as no tool would write them, but legal ones.
class RandomLayer {
 public:
  explicit RandomLayer(uint64_t seed) : random_(seed) {}

  std::vector<Raw> Make() {
    std::vector<Raw> members;
    files_.clear();
    for (uint64_t count = random_() % 12; count > 0; --count) {
      members.push_back(Member());
    }
    // As every tool has it. What becomes of a folder that no entry names and
    // that is deleted later is not agreed on.
    std::stable_partition(members.begin(), members.end(), [](const Raw& raw) {
      return absl::StrContains(raw.name, ".wh.");
    });
    return members;
  }

 private:
  std::string Name() { return std::string(1, "abcd"[random_() % 4]); }
  std::string Path() {
    std::string path = Name();
    for (uint64_t more = random_() % 3; more > 0; --more) {
      absl::StrAppend(&path, "/", Name());
    }
    return path;
  }
  Raw Member() {
    const std::string path = Path();
    switch (random_() % 10) {
      case 0:
      case 1:
        return Folder(path);
      case 2:
        return Symlink(path, random_() % 2 == 0 ? Path() : "../" + Path());
      case 3:
        return Whiteout(absl::StrCat(DirName(path) == "." ? "" : DirName(path),
                                     "/.wh.", BaseName(path)));
      case 4:
        return Whiteout(path + "/.wh..wh..opq");
      case 5:
        if (!files_.empty()) {
          return HardLink(path, files_[random_() % files_.size()]);
        }
        [[fallthrough]];
      default:
        files_.push_back(path);
        return {.name = path,
                .content = std::string(random_() % 3 * 300, path[0]),
                .mode = random_() % 2 == 0 ? 0644 : 04755};
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> files_;
};

// The store's own unpacking says what a tree is, and folding its records must
// give the same tree as folding the tars.
TEST(TarFold, AgreesWithUnpacking) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root to make whiteouts and devices";
  }
  constexpr uint64_t kSeeds = 60;
  int compared = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    RandomLayer random(seed);
    TempDir folder = *TempDir::Create();
    TarFold fold(TarRules::kForeign);
    ir::Tree tree;
    std::vector<std::string> lowers;
    for (int layer = 0; layer < 4; ++layer) {
      const std::vector<Raw> members = random.Make();
      const std::string tar = Tar(members);
      absl::Status folded = fold.Add(tar);
      folded.Update(fold.EndLayer());
      lowers.push_back(absl::StrCat(folder.path(), "/", layer));
      absl::StatusOr<ir::StepDiff> diff =
          UnpackLayer(*MakeMemorySource(tar), tree,
                      {lowers.begin(), lowers.end() - 1}, lowers.back());
      std::vector<std::string> names;
      for (const Raw& raw : members) {
        names.push_back(
            absl::StrCat(std::string(1, raw.type), raw.name, " ", raw.link));
      }
      SCOPED_TRACE(absl::StrCat("seed ", seed, " layer ", layer, ": ",
                                absl::StrJoin(names, "|")));
      ASSERT_EQ(folded.ok(), diff.ok()) << folded << diff.status();
      if (!folded.ok()) {
        break;
      }
      tree.Apply(*diff);
      ++compared;
      ir::PathStates states = fold.states();
      for (auto& [path, state] : states) {
        if (state.type != EntryType::kFile) {
          state.link.clear();  // ir::Tree has links of files only.
        }
      }
      const std::vector<ir::TreeDifference> differences =
          ir::CompareTrees(ir::StatesOf(tree), states, 10);
      std::string text;
      for (const ir::TreeDifference& one : differences) {
        absl::StrAppend(&text, one.path, " ", one.field, " ", one.first, " / ",
                        one.second, "\n");
      }
      ASSERT_EQ(text, "");
    }
  }
  EXPECT_GT(compared, static_cast<int>(kSeeds));
}

}  // namespace
}  // namespace lamina::backend
