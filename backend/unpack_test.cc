#include "backend/unpack.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/layer_writer.h"
#include "backend/tar/tar_writer.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;
using ir::Tree;

constexpr char kNeedsRoot[] = "needs root to make whiteouts and devices";

struct Member {
  Entry entry;
  std::string content;
};

Member Folder(const std::string& path) {
  return {{.path = path, .type = EntryType::kDirectory, .mode = 0755}, ""};
}
Member File(const std::string& path, const std::string& content) {
  return {{.path = path, .mode = 0644, .size = content.size()}, content};
}
Member Symlink(const std::string& path, const std::string& target) {
  return {
      {.path = path, .type = EntryType::kSymlink, .mode = 0777, .link = target},
      ""};
}
Member HardLink(const std::string& path, const std::string& target) {
  return {{.path = path, .type = EntryType::kHardLink, .link = target}, ""};
}

std::string WriteTar(const std::vector<Member>& members) {
  std::string out;
  for (const Member& member : members) {
    absl::StrAppend(&out, TarHeader(member.entry), member.content,
                    TarPadding(member.content.size()));
  }
  return out + TarEnd();
}

// A stack of unpacked layers in a folder, with a canary beside it.
class Stack {
 public:
  Stack() : folder_(*TempDir::Create()) {
    canary_ = folder_.path() + "/canary";
    EXPECT_TRUE(MakeDirs(canary_).ok());
    EXPECT_TRUE(ReplaceFile(canary_ + "/passwd", "outside", 0400, false).ok());
    before_ = Fingerprint();
  }
  ~Stack() { EXPECT_EQ(Fingerprint(), before_) << "the canary changed"; }

  absl::Status Add(const std::vector<Member>& members) {
    return AddTar(WriteTar(members));
  }
  absl::Status AddTar(const std::string& tar) {
    std::unique_ptr<ByteSource> source = MakeMemorySource(tar);
    return AddSource(*source);
  }
  absl::Status AddSource(ByteSource& source) {
    std::string path = absl::StrCat(folder_.path(), "/layer", layers_.size(),
                                    ".", attempts_++);
    ASSIGN_OR_RETURN(diff_, UnpackLayer(source, tree_, layers_, path));
    tree_.Apply(diff_);
    layers_.push_back(path);
    return absl::OkStatus();
  }
  // What the merged tree has at `path`: "f content", "l target", "d", or "".
  std::string At(const std::string& path) const {
    const Tree::Item* item = tree_.Find(path);
    if (item == nullptr) {
      return "";
    }
    char type = static_cast<char>(item->entry.type);
    std::string rest = item->entry.link;
    if (item->entry.type == EntryType::kFile) {
      rest = *ReadFile(layers_[item->layer] + "/" + path);
      EXPECT_EQ(item->entry.digest, Sha256(rest)) << path;
    }
    return rest.empty() ? std::string(1, type)
                        : absl::StrCat(std::string(1, type), " ", rest);
  }
  ino_t InodeOf(const std::string& path) const {
    struct stat info = {};
    lstat((layers_[tree_.Find(path)->layer] + "/" + path).c_str(), &info);
    return info.st_ino;
  }
  const std::string& canary() const { return canary_; }
  const std::string& folder() const { return folder_.path(); }
  const std::vector<std::string>& layers() const { return layers_; }
  const Tree& tree() const { return tree_; }
  const ir::StepDiff& diff() const { return diff_; }

 private:
  std::string Fingerprint() const {
    struct stat info = {};
    lstat((canary_ + "/passwd").c_str(), &info);
    struct stat above = {};
    lstat(canary_.c_str(), &above);
    return absl::StrCat(*ReadFile(canary_ + "/passwd"), " ", info.st_mode, " ",
                        info.st_nlink, " ", info.st_uid, " ",
                        info.st_mtim.tv_nsec, " ", above.st_mtim.tv_nsec);
  }

  TempDir folder_;
  std::string canary_;
  std::string before_;
  std::vector<std::string> layers_;
  Tree tree_;
  ir::StepDiff diff_;
  int attempts_ = 0;
};

// What each case starts from.
std::vector<Member> Base() {
  return {Folder("etc"), File("etc/passwd", "inside"),
          File("etc/emptied", "full"), File("etc/whitedout", "x")};
}

struct Breakout {
  const char* name;
  std::vector<Member> below;  // A second layer, when not empty.
  std::vector<Member> tar;
  const char* path;      // Where the result is, or null for an error.
  const char* expected;  // Stack::At.
};

std::vector<Breakout> Breakouts(const std::string& canary) {
  auto link = [](const std::string& symlink, const std::string& target) {
    return std::vector<Member>{Symlink(symlink, target),
                               HardLink("localpasswd", symlink + "/passwd")};
  };
  return {
      {"SymlinkAbsolute",
       {},
       {Symlink("localetc", "/etc"), File("/localetc/unbroken", "x")},
       "etc/unbroken",
       "f x"},
      {"SymlinkToAWhiteout",
       {},
       {Symlink("link", ".wh.etc"), File("link/x/y", "x")},
       nullptr,
       "cannot be stored"},
      {"SymlinkUpAndOut",
       {},
       {Symlink("localetc", "/dummy/../etc"), File("/localetc/unbroken", "x")},
       "etc/unbroken",
       "f x"},
      {"SymlinkMultipleAbsolute",
       {},
       {Folder("dummy"), Symlink("/dummy/etc", "/etc"),
        Symlink("localetc", "/dummy/etc"), File("/dummy/etc/unbroken", "x")},
       "etc/unbroken",
       "f x"},
      {"SymlinkMultipleRelative",
       {},
       {Folder("dummy"), Symlink("/dummy/etc", "/etc"),
        Symlink("localetc", "./dummy/etc"), File("/localetc/unbroken", "x")},
       "etc/unbroken",
       "f x"},
      {"SymlinkEmptyFile",
       {},
       {Symlink("localetc", "/etc"), File("/localetc/emptied", "")},
       "etc/emptied",
       "f"},
      {"HardlinkRelative",
       {},
       link("localetc", "../../etc"),
       "localpasswd",
       "f inside"},
      {"HardlinkDownAndOut",
       {},
       link("localetc", "../downandout/../../etc"),
       "localpasswd",
       "f inside"},
      {"HardlinkAbsolute",
       {},
       link("localetc", "/etc"),
       "localpasswd",
       "f inside"},
      {"HardlinkRelativeLong",
       {},
       link("localetc", "../../../../../../../etc"),
       "localpasswd",
       "f inside"},
      {"HardlinkRelativeUpAndOut",
       {},
       link("localetc", "upandout/../../../etc"),
       "localpasswd",
       "f inside"},
      {"HardlinkDirectRelative",
       {},
       {HardLink("localpasswd", "../../../../../etc/passwd")},
       "localpasswd",
       "f inside"},
      {"HardlinkDirectAbsolute",
       {},
       {HardLink("localpasswd", "/etc/passwd")},
       "localpasswd",
       "f inside"},
      {"SymlinkParentDirectory",
       {},
       {Symlink("..", "/etc/"), HardLink("localpasswd", "/etc/passwd")},
       nullptr,
       "`..`"},
      {"SymlinkEmptyFilename",
       {},
       {Symlink("", "/etc/"), HardLink("localpasswd", "/etc/passwd")},
       nullptr,
       "empty"},
      {"SymlinkParentRelative",
       {},
       {Symlink("localetc/sub/..", "/etc/"),
        HardLink("/localetc/localpasswd", "/etc/passwd")},
       nullptr,
       "`localetc/sub/..`"},
      {"SymlinkSlashEnded",
       {},
       {Folder("localetc/"), HardLink("/localetc/localpasswd", "/etc/passwd")},
       "localetc/localpasswd",
       "f inside"},
      {"SymlinkOverrideDirectory",
       {Folder("localetc")},
       {Symlink("localetc", "/etc"),
        HardLink("/localetc/localpasswd", "/etc/passwd")},
       "etc/localpasswd",
       "f inside"},
      {"SymlinkOverrideDirectoryRelative",
       {Folder("localetc")},
       {Symlink("localetc", "../../etc"),
        HardLink("/localetc/localpasswd", "/etc/passwd")},
       "etc/localpasswd",
       "f inside"},
      {"DirectoryOverrideSymlink",
       {Symlink("localetc", "/etc")},
       {Folder("localetc"), HardLink("/localetc/localpasswd", "/etc/passwd")},
       "localetc/localpasswd",
       "f inside"},
      {"DirectoryOverrideSymlinkAndHardlink",
       {Symlink("localetc", "etc"),
        HardLink("localetc/localpasswd", "/etc/passwd")},
       {Folder("localetc"), File("localetc/localpasswd", "new")},
       "etc/localpasswd",
       "f inside"},
      {"WhiteoutRootParent", {}, {File(".wh...", "")}, nullptr, "`.wh...`"},
      {"WhiteoutParent", {}, {File("etc/.wh...", "")}, nullptr, "etc/.wh..."},
      {"WhiteoutRoot", {}, {File(".wh..", "")}, nullptr, "`.wh..`"},
      {"WhiteoutCurrentDirectory",
       {},
       {File("etc/.wh..", "")},
       nullptr,
       "`etc/.wh..`"},
      {"WhiteoutSymlink",
       {Symlink("localetc", "/etc")},
       {File(".wh.localetc", "")},
       "localetc",
       ""},
      {"WhiteoutSymlinkKeepsTarget",
       {Symlink("localetc", "/etc")},
       {File(".wh.localetc", "")},
       "etc/passwd",
       "f inside"},
      {"WhiteoutSymlinkPath",
       {Symlink("localetc", "/etc")},
       {File("localetc/.wh.whitedout", "")},
       "etc/whitedout",
       ""},
      {"WhiteoutDirectoryName",
       {},
       {File(".wh.etc/somefile", "x")},
       nullptr,
       ".wh.etc/somefile"},
      {"WhiteoutDeadSymlinkParent",
       {Symlink("localetc", "/dne")},
       {File("localetc/.wh.etc", "")},
       "etc/passwd",
       "f inside"},
      {"WhiteoutRelativePath",
       {},
       {File("dne/../.wh.etc", "")},
       nullptr,
       "`..`"},
      {"SymlinkOverridePath",
       {},
       {Folder("foo"), Folder("foo/tmp"), File("foo/tmp/f", "1"),
        Symlink("foo", "/"), File("foo/tmp/f", "2"), Folder("foo"),
        Folder("foo/tmp"), File("foo/tmp/f", "3")},
       "foo/tmp/f",
       "f 3"},
      {"HardlinkSymlinkBeforeCreateTarget",
       {},
       {Symlink("a", "/etc/later"), HardLink("b", "a"), File("etc/later", "x")},
       "b",
       "l /etc/later"},
      {"HardlinkSymlinkRelative",
       {},
       {Symlink("passwdlink", "../../../../../etc/passwd"),
        HardLink("localpasswd", "passwdlink")},
       "localpasswd",
       "l ../../../../../etc/passwd"},
      {"HardlinkSymlinkAbsolute",
       {Symlink("passwdlink", "/etc/passwd")},
       {HardLink("localpasswd", "passwdlink")},
       "localpasswd",
       "l /etc/passwd"},
      {"HardlinkSymlinkChmod",
       {},
       {Symlink("s", canary + "/passwd"), HardLink("h", "s")},
       "etc/passwd",
       "f inside"},
      {"RootAsSymlink",
       {},
       {Symlink("./", canary), File("passwd", "evil")},
       nullptr,
       "root"},
      {"ThroughSymlinkToCanary",
       {Symlink("d", canary)},
       {File("d/new", "x")},
       "etc/passwd",
       "f inside"},
      {"WhiteoutThroughSymlinkToCanary",
       {Symlink("d", canary)},
       {File("d/.wh.passwd", "")},
       "etc/passwd",
       "f inside"},
      {"HardlinkToCanary",
       {},
       {HardLink("h", canary + "/passwd")},
       nullptr,
       "does not exist"},
  };
}

TEST(UnpackLayer, KeepsEveryBreakoutInside) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  size_t count = Breakouts("").size();
  for (size_t i = 0; i < count; ++i) {
    Stack stack;
    Breakout breakout = Breakouts(stack.canary())[i];
    SCOPED_TRACE(breakout.name);
    ASSERT_TRUE(stack.Add(Base()).ok());
    if (!breakout.below.empty()) {
      absl::Status status = stack.Add(breakout.below);
      ASSERT_TRUE(status.ok()) << status;
    }
    absl::Status status = stack.Add(breakout.tar);
    if (breakout.path == nullptr) {
      EXPECT_FALSE(status.ok());
      EXPECT_TRUE(absl::StrContains(status.message(), breakout.expected))
          << status;
      continue;
    }
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(stack.At(breakout.path), breakout.expected);
    EXPECT_EQ(stack.At("etc/passwd"), "f inside");
  }
}

TEST(UnpackLayer, MakesTheOverlayFormOfDeletions) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  Stack stack;
  ASSERT_TRUE(
      stack
          .Add({Folder("a"), File("a/1", ""), File("a/2", ""), Folder("b"),
                File("b/1", ""), Folder("c"), File("c/1", "")})
          .ok());
  // The opaque marker comes last, and the whiteout of `c` before the new one.
  ASSERT_TRUE(
      stack
          .Add({File("a/.wh.1", ""), File("a/.wh.none", ""), Folder("b"),
                File("b/new", ""), File("b/.wh..wh..opq", ""),
                File(".wh.c", ""), Folder("c"), File("c/new", "")})
          .ok());
  const std::string& layer = stack.layers()[1];
  struct stat info = {};
  ASSERT_EQ(lstat((layer + "/a/1").c_str(), &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0));
  EXPECT_FALSE(FileExists(layer + "/a/none"));
  for (const char* folder : {"/b", "/c"}) {
    char value[2] = {};
    EXPECT_EQ(
        getxattr((layer + folder).c_str(), "trusted.overlay.opaque", value, 2),
        1);
    EXPECT_EQ(value[0], 'y');
  }
  for (const char* gone : {"a/1", "b/1", "c/1"}) {
    EXPECT_EQ(stack.At(gone), "") << gone;
  }
  for (const char* kept : {"a/2", "b/new", "c/new"}) {
    EXPECT_EQ(stack.At(kept), "f") << kept;
  }
}

TEST(UnpackLayer, RestoresMetadata) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  Stack stack;
  Member file = File("d/f", "x");
  file.entry.mode = 06755;
  file.entry.uid = 1000;
  file.entry.gid = 2000;
  file.entry.mtime = -7;
  file.entry.xattrs["security.capability"] =
      std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  Member folder = Folder("d");
  folder.entry.mode = 01555;
  folder.entry.mtime = 12345;
  Member device = {{.path = "d/null",
                    .type = EntryType::kCharDevice,
                    .mode = 0666,
                    .mtime = 5,
                    .major = 1,
                    .minor = 3},
                   ""};
  ASSERT_TRUE(stack.Add({folder, file, device}).ok());
  absl::StatusOr<ir::StepDiff> scanned =
      ScanUpper(stack.layers()[0], Tree(), {});
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  std::string unpacked = ir::PrintStepDiff(stack.diff());
  for (Entry& entry : scanned->entries) {
    entry.digest = entry.type == EntryType::kFile ? Sha256("x") : Digest{};
  }
  EXPECT_EQ(ir::PrintStepDiff(*scanned), unpacked);
  EXPECT_TRUE(absl::StrContains(unpacked, "\t6755\t1000\t2000\t-7\t"));
}

TEST(UnpackLayer, CopiesImpliedFoldersFromBelow) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  Stack stack;
  Member folder = Folder("d");
  folder.entry.mode = 0710;
  folder.entry.uid = 7;
  folder.entry.mtime = 99;
  ASSERT_TRUE(stack.Add({folder}).ok());
  ASSERT_TRUE(stack.Add({File("d/f", "x"), File("new/f", "y")}).ok());
  struct stat info = {};
  ASSERT_EQ(lstat((stack.layers()[1] + "/d").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0710u);
  EXPECT_EQ(info.st_uid, 7u);
  EXPECT_EQ(info.st_mtim.tv_sec, 99);
  std::vector<std::string> paths;
  for (const Entry& entry : stack.diff().entries) {
    paths.push_back(entry.path);
  }
  EXPECT_EQ(absl::StrJoin(paths, " "), "d/f new new/f");
}

TEST(UnpackLayer, LinksWithinTheLayerAndCopiesFromBelow) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  Stack stack;
  ASSERT_TRUE(stack.Add({File("z", "one"), HardLink("a", "z")}).ok());
  EXPECT_EQ(stack.InodeOf("a"), stack.InodeOf("z"));
  // The first name in the order of a layer is the file.
  EXPECT_EQ(stack.diff().entries[0].type, EntryType::kFile);
  EXPECT_EQ(stack.diff().entries[1].type, EntryType::kHardLink);
  EXPECT_EQ(stack.diff().entries[1].link, "a");
  ASSERT_TRUE(stack.Add({HardLink("copy", "z")}).ok());
  EXPECT_EQ(stack.At("copy"), "f one");
  EXPECT_NE(stack.InodeOf("copy"), stack.InodeOf("z"));
  absl::Status status = stack.Add({Folder("d"), HardLink("h", "d")});
  EXPECT_EQ(status.message(), "/h: a hard link to a folder");
  status = stack.Add({HardLink("h", "none")});
  EXPECT_TRUE(absl::StrContains(status.message(), "/h: ")) << status;
}

TEST(UnpackLayer, AppliesEntriesThatTakeEachOtherBack) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  Stack stack;
  ASSERT_TRUE(stack.Add({File("a/b/c", "1"), File("a", "2")}).ok());
  EXPECT_EQ(stack.At("a"), "f 2");
  ASSERT_TRUE(stack.Add({Folder("d"), File("d/f", "")}).ok());
  ASSERT_TRUE(stack.Add({File("d/.wh..wh..opq", ""), Symlink("d", "x")}).ok());
  EXPECT_EQ(stack.At("d"), "l x");
  ASSERT_TRUE(stack.Add({Folder("e"), File("e/f", "")}).ok());
  absl::Status status =
      stack.Add({File(".wh.e", ""), File("e/.wh..wh..opq", "")});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(stack.At("e"), "");
}

TEST(ScanLayer, ReadsTheHeadersInTheOrderOfALayer) {
  std::unique_ptr<ByteSource> tar = MakeMemorySource(
      WriteTar({File("b", "first"), File("b", "last!!"), File("./.wh.x", ""),
                File("a/.wh..wh..opq", ""), HardLink("a/h", "./b")}));
  absl::StatusOr<ir::StepDiff> diff = ScanLayer(*tar);
  ASSERT_TRUE(diff.ok()) << diff.status();
  std::vector<std::string> lines;
  for (const Entry& entry : diff->entries) {
    lines.push_back(absl::StrCat(std::string(1, char(entry.type)), " ",
                                 entry.path, " ", entry.size, " ", entry.link));
  }
  EXPECT_EQ(absl::StrJoin(lines, "|"), "w x 0 |o a 0 |f a/h 6 |h b 0 a/h");
}

TEST(ScanUpper, RefusesWhatItCannotExpress) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  TempDir upper = *TempDir::Create();
  ASSERT_TRUE(MakeDirs(upper.path() + "/d/.wh.x").ok());
  EXPECT_TRUE(absl::StrContains(
      ScanUpper(upper.path(), Tree(), {}).status().message(), "d/.wh.x"));
  ASSERT_TRUE(RemoveTree(upper.path() + "/d/.wh.x").ok());
  ASSERT_EQ(setxattr((upper.path() + "/d").c_str(), "trusted.overlay.redirect",
                     "e", 1, 0),
            0);
  EXPECT_TRUE(
      absl::StrContains(ScanUpper(upper.path(), Tree(), {}).status().message(),
                        "/d: has the xattr `trusted.overlay.redirect`"));
}

std::string Lines(const ir::StepDiff& diff) {
  std::vector<std::string> lines;
  for (const Entry& entry : diff.entries) {
    lines.push_back(absl::StrCat(std::string(1, char(entry.type)), " ",
                                 entry.path, entry.link.empty() ? "" : " ",
                                 entry.link));
  }
  return absl::StrJoin(lines, "|");
}

TEST(ScanUpper, LeavesOutWhatEqualsTheTreeBelow) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  Stack stack;
  ASSERT_TRUE(stack
                  .Add({Folder("d"), File("d/f", "one"), File("d/g", "two"),
                        Symlink("d/s", "f")})
                  .ok());
  std::string upper = stack.folder() + "/upper";
  std::string copy = absl::StrCat("cp -a ", stack.layers()[0], " ", upper);
  ASSERT_EQ(system(copy.c_str()), 0);
  auto scan = [&] {
    absl::StatusOr<ir::StepDiff> diff =
        ScanUpper(upper, stack.tree(), stack.layers());
    return diff.ok() ? Lines(*diff) : std::string(diff.status().message());
  };
  EXPECT_EQ(scan(), "");
  EXPECT_EQ(system(absl::StrCat("touch -d @2000000000 ", upper, "/d/s -h ",
                                upper, "/d/f ", upper, "/d").c_str()), 0);
  EXPECT_EQ(scan(), "d d|f d/f|l d/s f");
  // Both times are after the limit, hence the same in a layer.
  absl::StatusOr<ir::StepDiff> limited =
      ScanUpper(upper, stack.tree(), stack.layers(), /*newest_time=*/0);
  ASSERT_TRUE(limited.ok());
  EXPECT_EQ(Lines(*limited), "");
  ASSERT_EQ(system(absl::StrCat("rm -rf ", upper, "; ", copy).c_str()), 0);
  // The same size and time, other bytes.
  ASSERT_TRUE(ReplaceFile(upper + "/d/g", "TWO", 0644, false).ok());
  std::string touch =
      absl::StrCat("touch -r ", stack.layers()[0], "/d/g ", upper, "/d/g; ",
                   "touch -r ", stack.layers()[0], "/d ", upper, "/d");
  ASSERT_EQ(system(touch.c_str()), 0);
  EXPECT_EQ(scan(), "d d|f d/g");
  // A new name of an old file: the group must not span layers.
  ASSERT_EQ(link((upper + "/d/f").c_str(), (upper + "/d/e").c_str()), 0);
  EXPECT_EQ(scan(), "d d|f d/e|h d/f d/e|f d/g");
}

TEST(ScanUpper, ExpandsOpaqueFoldersAndKeepsOnlyUsefulWhiteouts) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  Stack stack;
  ASSERT_TRUE(
      stack
          .Add({Folder("d"), File("d/a", ""), File("d/b", ""), Folder("d/sub"),
                File("d/sub/x", ""), File("d/sub/y", "")})
          .ok());
  std::string upper = stack.folder() + "/upper";
  ASSERT_TRUE(MakeDirs(upper + "/d/sub").ok());
  ASSERT_TRUE(MakeDirs(upper + "/new").ok());
  ASSERT_TRUE(ReplaceFile(upper + "/d/sub/x", "now", 0644, false).ok());
  for (const char* name : {"/d/b", "/none", "/new/none"}) {
    ASSERT_EQ(mknod((upper + name).c_str(), S_IFCHR, 0), 0);
  }
  for (const char* folder : {"/d", "/new"}) {
    ASSERT_EQ(
        setxattr((upper + folder).c_str(), "trusted.overlay.opaque", "y", 1, 0),
        0);
  }
  absl::StatusOr<ir::StepDiff> diff =
      ScanUpper(upper, stack.tree(), stack.layers());
  ASSERT_TRUE(diff.ok()) << diff.status();
  EXPECT_EQ(Lines(*diff), "d d|w d/a|w d/b|d d/sub|w d/sub/y|f d/sub/x|d new");
}

// --- the kernel's overlay as the oracle ------------------------------------

// Everything in a folder, as the step diff of a layer on nothing; digests
// filled in, times of the root aside.
std::string Describe(const std::string& folder) {
  absl::StatusOr<ir::StepDiff> all = ScanUpper(folder, Tree(), {});
  EXPECT_TRUE(all.ok()) << all.status();
  for (Entry& entry : all->entries) {
    if (entry.type == EntryType::kFile) {
      entry.digest = Sha256(*ReadFile(folder + "/" + entry.path));
    }
  }
  return ir::PrintStepDiff(*all);
}

std::string DescribeTree(const Tree& tree) {
  ir::StepDiff all;
  for (const auto& [path, item] : tree.items()) {
    Entry entry = item.entry;
    if (!entry.link.empty() && entry.type == EntryType::kFile) {
      entry.type = EntryType::kHardLink;
      entry.size = 0;
      entry.digest = Digest{};
    }
    all.entries.push_back(entry);
  }
  return ir::PrintStepDiff(all);
}

class Overlay {
 public:
  Overlay(const std::vector<std::string>& lowers, const std::string& upper,
          const std::string& work, const std::string& target)
      : target_(target) {
    for (const std::string& folder : {upper, work, target}) {
      EXPECT_TRUE(folder.empty() || MakeDirs(folder).ok());
    }
    std::string options =
        absl::StrCat("redirect_dir=nofollow,metacopy=off,index=off,lowerdir=",
                     absl::StrJoin(lowers.rbegin(), lowers.rend(), ":"));
    if (!upper.empty()) {
      absl::StrAppend(&options, ",upperdir=", upper, ",workdir=", work);
    }
    mounted_ =
        mount("overlay", target.c_str(), "overlay", 0, options.c_str()) == 0;
  }
  ~Overlay() {
    if (mounted_) {
      umount2(target_.c_str(), MNT_DETACH);
    }
  }
  bool mounted() const { return mounted_; }

 private:
  std::string target_;
  bool mounted_ = false;
};

// Random work on a tree, as a shell would do it.
class Mess {
 public:
  Mess(std::string root, std::mt19937_64& random)
      : root_(std::move(root)), random_(random) {}

  void Step() {
    std::string a = Path();
    std::string b = Path();
    switch (random_() % 17) {
      case 0:
      case 1:
      case 2:
        WriteFile(a);
        break;
      case 3:
      case 4:
        mkdir(a.c_str(), 0755);
        break;
      case 5:
        RemoveTree(a).IgnoreError();
        break;
      case 6:
        unlink(a.c_str());
        break;
      case 7:
        rename(a.c_str(), b.c_str());
        break;
      case 8:
        Ignore(link(a.c_str(), b.c_str()));
        break;
      case 9:
        Ignore(symlink("a/b", a.c_str()));
        break;
      case 10:
        Ignore(lchown(a.c_str(), random_() % 3, random_() % 3));
        break;
      case 11:
        chmod(a.c_str(), 0700 + random_() % 64);
        break;
      case 12:
        setxattr(a.c_str(), "user.note", "v", random_() % 2, 0);
        break;
      case 13:
        mkfifo(a.c_str(), 0600);
        break;
      case 14: {
        timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1000, .tv_nsec = 999}};
        utimensat(AT_FDCWD, a.c_str(), times, AT_SYMLINK_NOFOLLOW);
        break;
      }
      case 15:
        mknod(a.c_str(), S_IFBLK | 0600, makedev(7, random_() % 4));
        break;
      default:
        OpenWithoutChange(a);
    }
  }

 private:
  static void Ignore(int) {}  // Many operations fail, as they would.

  // Few names, so that they meet often.
  std::string Path() {
    std::string path = root_;
    for (uint64_t parts = 1 + random_() % 3; parts > 0; --parts) {
      absl::StrAppend(&path, "/", std::string(1, "abcd"[random_() % 4]));
    }
    return path;
  }
  bool IsFile(const std::string& path) {
    struct stat info;
    return lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
  }
  void WriteFile(const std::string& path) {
    struct stat info;
    if (lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
      return;
    }
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
    if (fd.valid()) {
      EXPECT_TRUE(WriteAll(fd.get(), std::string(random_() % 3000, 'x')).ok());
    }
  }
  // Copies the file up and changes nothing.
  void OpenWithoutChange(const std::string& path) {
    if (IsFile(path)) {
      UniqueFd fd(open(path.c_str(), O_RDWR | O_NOFOLLOW));
    }
  }

  std::string root_;
  std::mt19937_64& random_;
};

// Every layer is worked on in a real overlay, scanned, written as a tar and
// unpacked again; the tree that the kernel merges from the unpacked layers
// must be the one that was seen while working, and ours must agree.
TEST(Layers, SurviveTheWayFromOverlayToOverlay) {
  if (geteuid() != 0) {
    GTEST_SKIP() << kNeedsRoot;
  }
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Stack stack;
    ASSERT_TRUE(stack.Add(Base()).ok());
    for (int layer = 0; layer < 5; ++layer) {
      std::string work = absl::StrCat(stack.folder(), "/work", layer);
      std::string expected;
      {
        Overlay overlay(stack.layers(), work + ".upper", work,
                        work + ".merged");
        if (!overlay.mounted()) {
          GTEST_SKIP() << "no overlay can be mounted here";
        }
        Mess mess(work + ".merged", random);
        for (int step = 0; step < 150; ++step) {
          mess.Step();
        }
        expected = Describe(work + ".merged");
      }
      absl::StatusOr<ir::StepDiff> diff =
          ScanUpper(work + ".upper", stack.tree(), stack.layers());
      ASSERT_TRUE(diff.ok()) << diff.status();
      std::string blob = work + ".tar";
      absl::StatusOr<LayerBlob> written = WriteLayer(
          *diff,
          [&work](const Entry& entry) {
            return OpenFile(work + ".upper/" + entry.path, O_RDONLY);
          },
          {}, blob);
      ASSERT_TRUE(written.ok()) << written.status();
      absl::StatusOr<UniqueFd> fd = OpenFile(blob, O_RDONLY);
      std::unique_ptr<ByteSource> source = MakeFdSource(fd->get());
      absl::Status added = stack.AddSource(*source);
      ASSERT_TRUE(added.ok()) << added;
      EXPECT_EQ(ir::PrintStepDiff(stack.diff()), ir::PrintStepDiff(*diff));
      Overlay again(stack.layers(), "", "", work + ".again");
      ASSERT_TRUE(again.mounted());
      ASSERT_EQ(Describe(work + ".again"), expected) << "layer " << layer;
      ASSERT_EQ(DescribeTree(stack.tree()), expected) << "layer " << layer;
    }
  }
}

}  // namespace
}  // namespace lamina::backend
