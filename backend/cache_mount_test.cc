#include "backend/cache_mount.h"

#include <sys/stat.h>

#include <string>

#include "base/files.h"
#include "gtest/gtest.h"

namespace lamina::backend {
namespace {

using ir::Mount;

class CacheMountTest : public ::testing::Test {
 protected:
  CacheMountTest() : caches_(*TempDir::Create("/tmp")) {}

  CacheInstance Take(const Mount& mount, const CacheSeed* seed = nullptr) {
    absl::StatusOr<CacheInstance> cache =
        TakeCache(mount, seed, caches_.path());
    EXPECT_TRUE(cache.ok()) << cache.status();
    return *std::move(cache);
  }
  static Mount Cache(Mount::Sharing sharing = Mount::Sharing::kShared) {
    Mount mount;
    mount.type = Mount::Type::kCache;
    mount.id = "/c";
    mount.mode = 0755;
    mount.sharing = sharing;
    return mount;
  }
  static mode_t Mode(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  static CacheSeed Seed(const std::string& identity) {
    return {identity, [identity](const std::string& folder) {
              absl::Status made = MakeDirs(folder);
              return made.ok() ? ReplaceFile(JoinPath(folder, "seed"), identity,
                                             0644, false)
                               : made;
            }};
  }

  TempDir caches_;
};

TEST_F(CacheMountTest, AnotherIdModeOrSeedIsAnotherCache) {
  Mount mount = Cache();
  std::string first = Take(mount).folder;
  EXPECT_EQ(Take(mount).folder, first);
  EXPECT_EQ(Mode(first), 0755u);
  Mount other = mount;
  other.id = "/d";
  EXPECT_NE(Take(other).folder, first);
  other = mount;
  other.mode = 0700;
  EXPECT_NE(Take(other).folder, first);
  EXPECT_EQ(Mode(Take(other).folder), 0700u);
  CacheSeed one = Seed("one");
  CacheSeed two = Seed("two");
  std::string seeded = Take(mount, &one).folder;
  EXPECT_NE(seeded, first);
  EXPECT_NE(Take(mount, &two).folder, seeded);
}

TEST_F(CacheMountTest, ASeedFillsANewCacheOnce) {
  CacheSeed seed = Seed("one");
  std::string folder = Take(Cache(), &seed).folder;
  EXPECT_EQ(*ReadFile(JoinPath(folder, "seed")), "one");
  ASSERT_TRUE(ReplaceFile(JoinPath(folder, "seed"), "used", 0644, false).ok());
  EXPECT_EQ(*ReadFile(JoinPath(Take(Cache(), &seed).folder, "seed")), "used");
}

TEST_F(CacheMountTest, TheRootOfANamedFolderKeepsItsMode) {
  CacheSeed seed = Seed("one");
  Mount mount = Cache();
  mount.mode = 0700;
  mount.source = "/";
  EXPECT_EQ(Mode(Take(mount, &seed).folder), 0700u);
  CacheSeed inner = Seed("inner");
  mount.source = "/d";
  EXPECT_NE(Mode(Take(mount, &inner).folder), 0700u);
}

TEST_F(CacheMountTest, ACacheThatCannotBeFilledIsNotThere) {
  CacheSeed seed = {"bad", [](const std::string& folder) {
                      EXPECT_TRUE(MakeDirs(folder).ok());
                      return absl::InternalError("half of it");
                    }};
  EXPECT_FALSE(TakeCache(Cache(), &seed, caches_.path()).ok());
  CacheSeed good = {"bad", [](const std::string& folder) {
                      EXPECT_FALSE(FileExists(folder));
                      return MakeDirs(folder);
                    }};
  EXPECT_TRUE(TakeCache(Cache(), &good, caches_.path()).ok());
}

TEST_F(CacheMountTest, SharingSaysWhoUsesAnInstanceAtOnce) {
  CacheInstance one = Take(Cache());
  EXPECT_EQ(Take(Cache()).folder, one.folder);
  Mount own = Cache(Mount::Sharing::kPrivate);
  CacheInstance busy = Take(own);
  EXPECT_NE(busy.folder, one.folder);
  CacheInstance second = Take(own);
  EXPECT_NE(second.folder, busy.folder);
  std::string idle = busy.folder;
  busy.lock = UniqueFd();
  EXPECT_EQ(Take(own).folder, idle);
}

}  // namespace
}  // namespace lamina::backend
