#include "backend/copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "backend/tar/tar_writer.h"
#include "base/files.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

// A folder of the host, filled by the test.
class Folder {
 public:
  Folder() : dir_(*TempDir::Create()) {}
  Folder& File(const std::string& path, const std::string& text,
               mode_t mode = 0644) {
    EXPECT_TRUE(MakeDirs(JoinPath(dir_.path(), DirName(path))).ok());
    EXPECT_TRUE(
        ReplaceFile(JoinPath(dir_.path(), path), text, mode, false).ok());
    return *this;
  }
  Folder& Link(const std::string& path, const std::string& target) {
    EXPECT_TRUE(MakeDirs(JoinPath(dir_.path(), DirName(path))).ok());
    EXPECT_EQ(symlink(target.c_str(), JoinPath(dir_.path(), path).c_str()), 0);
    return *this;
  }
  SourceTree Open(const std::string& ignores = "") const {
    Diagnostics diagnostics;
    ir::IgnoreMatcher matcher = ir::IgnoreMatcher::ParseFile(
        SourceFile(".dockerignore", ignores), diagnostics);
    EXPECT_FALSE(diagnostics.has_errors());
    return *OpenContextFolder(dir_.path(), matcher);
  }
  const std::string& path() const { return dir_.path(); }

 private:
  TempDir dir_;
};

Entry Dir(const std::string& path, uint32_t mode = 0755) {
  Entry entry;
  entry.path = path;
  entry.type = EntryType::kDirectory;
  entry.mode = mode;
  entry.mtime = 1;
  return entry;
}

Entry Symlink(const std::string& path, const std::string& target) {
  Entry entry;
  entry.path = path;
  entry.type = EntryType::kSymlink;
  entry.mode = 0777;
  entry.link = target;
  return entry;
}

ir::Tree TreeOf(std::vector<Entry> entries) {
  ir::StepDiff diff{std::move(entries)};
  ir::SortEntries(diff);
  ir::Tree tree;
  tree.Apply(diff);
  return tree;
}

absl::StatusOr<std::string> NoText(const std::string&) { return std::string(); }

// "TYPE MODE UID:GID PATH [-> LINK]", one line an entry; or the error.
std::string Place(const ir::Copy& copy, const SourceTree& source,
                  const ir::Tree& below, const ReadText& read_text = NoText) {
  auto listing = ListSources(copy, {&source});
  if (!listing.ok()) {
    return std::string(listing.status().message());
  }
  auto scratch = TempDir::Create();
  PlaceOptions options;
  options.now = 99;
  options.scratch = scratch->path();
  auto placed =
      PlaceCopy(copy, *listing, {&source}, below, read_text, options);
  if (!placed.ok()) {
    return std::string(placed.status().message());
  }
  std::string out;
  for (const Entry& entry : placed->diff.entries) {
    char mode[8];
    snprintf(mode, sizeof mode, "%o", entry.mode);
    absl::StrAppend(&out, std::string(1, static_cast<char>(entry.type)), " ",
                    mode, " ", entry.uid, ":", entry.gid, " ", entry.path,
                    entry.link.empty() ? "" : " -> ", entry.link, "\n");
  }
  return out;
}

ir::Copy CopyOf(std::vector<std::string> sources, std::string destination) {
  ir::Copy copy;
  copy.sources = std::move(sources);
  copy.destination = std::move(destination);
  return copy;
}

TEST(Copy, AFileGoesToANameOrIntoAFolder) {
  Folder context;
  context.File("a", "x", 0640);
  EXPECT_EQ(Place(CopyOf({"a"}, "/b"), context.Open(), TreeOf({})),
            "f 640 0:0 b\n");
  EXPECT_EQ(Place(CopyOf({"a"}, "/d/"), context.Open(), TreeOf({})),
            "d 755 0:0 d\nf 640 0:0 d/a\n");
  EXPECT_EQ(
      Place(CopyOf({"a"}, "/d"), context.Open(), TreeOf({Dir("d", 0711)})),
      "d 711 0:0 d\nf 640 0:0 d/a\n");
}

TEST(Copy, AFolderGivesItsContentsAndANewTopOf0755) {
  Folder context;
  context.File("src/sub/f", "x").File("src/g", "y", 0755);
  chmod(JoinPath(context.path(), "src").c_str(), 0700);
  chmod(JoinPath(context.path(), "src/sub").c_str(), 0750);
  EXPECT_EQ(Place(CopyOf({"src"}, "/dst"), context.Open(), TreeOf({})),
            "d 755 0:0 dst\nf 755 0:0 dst/g\nd 750 0:0 dst/sub\n"
            "f 644 0:0 dst/sub/f\n");
  EXPECT_EQ(Place(CopyOf({"src/"}, "/dst/"), context.Open(),
                  TreeOf({Dir("dst", 0711), Dir("dst/sub", 0700)})),
            "d 711 0:0 dst\nf 755 0:0 dst/g\nd 750 0:0 dst/sub\n"
            "f 644 0:0 dst/sub/f\n");
}

TEST(Copy, SymlinksOfTheDestinationAreFollowedInsideTheRoot) {
  Folder context;
  context.File("a", "x");
  ir::Tree below =
      TreeOf({Dir("real"), Symlink("abs", "/real"), Symlink("up", "../../real"),
              Symlink("file", "real/target")});
  EXPECT_EQ(Place(CopyOf({"a"}, "/abs/"), context.Open(), below),
            "d 755 0:0 real\nf 644 0:0 real/a\n");
  EXPECT_EQ(Place(CopyOf({"a"}, "/up/n"), context.Open(), below),
            "d 755 0:0 real\nf 644 0:0 real/n\n");
  EXPECT_EQ(Place(CopyOf({"a"}, "/file"), context.Open(), below),
            "d 755 0:0 real\nf 644 0:0 real/target\n");
}

TEST(Copy, SymlinksInsideACopiedFolderStayLinksAndNamedOnesAreFollowed) {
  Folder context;
  context.File("d/real", "x").Link("d/l", "real").Link("named", "d/real");
  EXPECT_EQ(Place(CopyOf({"d"}, "/o"), context.Open(), TreeOf({})),
            "d 755 0:0 o\nl 777 0:0 o/l -> real\nf 644 0:0 o/real\n");
  EXPECT_EQ(Place(CopyOf({"named"}, "/o/"), context.Open(), TreeOf({})),
            "d 755 0:0 o\nf 644 0:0 o/named\n");
}

TEST(Copy, AMissingSourceIsNamedWithWhatIsNear) {
  Folder context;
  context.File("entrypoint.sh", "x");
  EXPECT_EQ(Place(CopyOf({"entrypont.sh"}, "/"), context.Open(), TreeOf({})),
            "\"/entrypont.sh\": not found; did you mean `entrypoint.sh`?");
}

TEST(Copy, ALinkOutOfTheContextIsExplained) {
  Folder context;
  context.Link("out", "/etc");
  EXPECT_EQ(Place(CopyOf({"out/passwd"}, "/"), context.Open(), TreeOf({})),
            "\"/out/passwd\": not found; the symbolic link `out` -> `/etc` "
            "leads out of the build context and resolves inside it");
}

TEST(Copy, IgnoredFilesDoNotExist) {
  Folder context;
  context.File("a", "x").File("b", "x").File("d/c", "x");
  EXPECT_EQ(Place(CopyOf({"."}, "/o/"), context.Open("a\nd/*\n"), TreeOf({})),
            "d 755 0:0 o\nf 644 0:0 o/b\nd 755 0:0 o/d\n");
  EXPECT_EQ(Place(CopyOf({"a"}, "/o/"), context.Open("a"), TreeOf({})),
            "\"/a\": not found");
}

TEST(Copy, WildcardsMatchPartByPartAndMayMatchNothing) {
  Folder context;
  context.File("x1/a.txt", "").File("x2/b.txt", "").File("y/c.txt", "");
  EXPECT_EQ(Place(CopyOf({"x?/*.txt"}, "/o/"), context.Open(), TreeOf({})),
            "d 755 0:0 o\nf 644 0:0 o/a.txt\nf 644 0:0 o/b.txt\n");
  EXPECT_EQ(Place(CopyOf({"*.none"}, "/o/"), context.Open(), TreeOf({})), "");
}

TEST(Copy, HardLinksOfOneSourceStayTogether) {
  Folder context;
  context.File("d/b", "x");
  ASSERT_EQ(link(JoinPath(context.path(), "d/b").c_str(),
                 JoinPath(context.path(), "d/a").c_str()),
            0);
  EXPECT_EQ(Place(CopyOf({"d"}, "/"), context.Open(), TreeOf({})),
            "f 644 0:0 a\nh 644 0:0 b -> a\n");
}

TEST(Copy, AFileCopiedOverALinkedNameLeavesTheOtherNamesAlone) {
  Folder context;
  context.File("one/a", "first").File("two/a", "the second");
  for (const char* name : {"/one/b", "/one/c"}) {
    ASSERT_EQ(link((context.path() + "/one/a").c_str(),
                   (context.path() + name).c_str()),
              0);
  }
  EXPECT_EQ(Place(CopyOf({"one", "two"}, "/"), context.Open(), TreeOf({})),
            "f 644 0:0 a\nf 644 0:0 b\nh 644 0:0 c -> b\n");
}

// A tar of the entries, each file empty.
std::string TarOf(const std::vector<Entry>& entries) {
  std::string tar;
  for (const Entry& entry : entries) {
    tar += TarHeader(entry);
  }
  return tar + TarEnd();
}

TEST(Copy, MembersOfArchivesTakeThePlaceOfWhatIsThere) {
  Entry member = {.path = "d/x", .mode = 0600};
  Entry second = {.path = "f", .mode = 0600};
  Folder context;
  context.File("x.tar", TarOf({Dir("d", 0700), member, second}));
  ir::Copy add = CopyOf({"x.tar"}, "/o/");
  add.unpack = true;
  EXPECT_EQ(Place(add, context.Open(),
                  TreeOf({Dir("o"), Symlink("o/d", "/etc"), Dir("o/f")})),
            "d 755 0:0 o\nd 700 0:0 o/d\nf 600 0:0 o/d/x\nf 600 0:0 o/f\n");
  // A later member replaces a folder with all that was unpacked into it.
  Entry over = {.path = "d", .mode = 0640};
  context.File("x.tar", TarOf({Dir("d"), member, over}));
  EXPECT_EQ(Place(add, context.Open(), TreeOf({Dir("o")})),
            "d 755 0:0 o\nf 640 0:0 o/d\n");
  context.File("x.tar", TarOf({over, Dir("d"), member}));
  EXPECT_EQ(Place(add, context.Open(), TreeOf({Dir("o"), Dir("o/d")})),
            "in x.tar: the archive replaces the folder /o/d twice");
}

TEST(Copy, HardLinksOfArchivesMayNameSymlinks) {
  Folder context;
  Entry link = {.path = "b", .type = EntryType::kHardLink, .link = "a"};
  context.File("x.tar", TarOf({Symlink("a", "t"), link}));
  ir::Copy add = CopyOf({"x.tar"}, "/");
  add.unpack = true;
  EXPECT_EQ(Place(add, context.Open(), TreeOf({})),
            "l 777 0:0 a -> t\nl 777 0:0 b -> t\n");
}

TEST(Copy, OwnersComeFromFlagsAndUnknownNamesAreZero) {
  Folder context;
  context.File("a", "");
  auto text = [](const std::string& path) -> absl::StatusOr<std::string> {
    return std::string(path == "etc/passwd" ? "app:x:7:8::/:/bin/sh\n"
                                            : "staff:x:50:\n");
  };
  auto with = [&](std::string user, std::string group) {
    ir::Copy copy = CopyOf({"a"}, "/a");
    copy.owner = {std::move(user), std::move(group), true};
    return Place(copy, context.Open(), TreeOf({}), text);
  };
  EXPECT_EQ(with("app", ""), "f 644 7:8 a\n");
  EXPECT_EQ(with("app", "staff"), "f 644 7:50 a\n");
  EXPECT_EQ(with("5", ""), "f 644 5:5 a\n");
  EXPECT_EQ(with("nobody", ""), "f 644 0:0 a\n");
}

TEST(Copy, OctalModesReachMadeFoldersAndSymbolicOnesDoNot) {
  Folder context;
  context.File("a", "", 0640);
  ir::Copy copy = CopyOf({"a"}, "/d/a");
  copy.chmod = "644";
  EXPECT_EQ(Place(copy, context.Open(), TreeOf({})),
            "d 644 0:0 d\nf 644 0:0 d/a\n");
  copy.chmod = "u+x,go=r";
  EXPECT_EQ(Place(copy, context.Open(), TreeOf({})),
            "d 755 0:0 d\nf 744 0:0 d/a\n");
}

TEST(Copy, AFolderIsNeverReplacedByAFileNorAFileByAFolder) {
  Folder context;
  context.File("d/x/f", "").File("x", "");
  EXPECT_EQ(Place(CopyOf({"d"}, "/t"), context.Open(),
                  TreeOf({Dir("t"), Symlink("t/x", "y")})),
            "cannot copy a folder onto the symbolic link /t/x");
  EXPECT_EQ(Place(CopyOf({"d"}, "/t/x"), context.Open(), TreeOf({})),
            "d 755 0:0 t\nd 755 0:0 t/x\nd 755 0:0 t/x/x\nf 644 0:0 t/x/x/f\n");
}

TEST(Copy, ParentsKeepsThePathBelowThePivot) {
  Folder context;
  context.File("a/b/c/f.txt", "").File("a/b/g.bin", "");
  ir::Copy copy = CopyOf({"a/./b/**/*.txt"}, "/o");
  copy.parents = true;
  EXPECT_EQ(Place(copy, context.Open(), TreeOf({})),
            "d 755 0:0 o\nd 755 0:0 o/b\nd 755 0:0 o/b/c\n"
            "f 644 0:0 o/b/c/f.txt\n");
}

TEST(Copy, ParentsTakesWildcardsBeforeThePivotAndMakesTheDestination) {
  Folder context;
  context.File("p1/c/f", "").File("p2/c/g", "").File("p", "");
  ir::Copy copy = CopyOf({"p*/./c/*"}, "/o");
  copy.parents = true;
  EXPECT_EQ(Place(copy, context.Open(), TreeOf({})),
            "d 755 0:0 o\nd 755 0:0 o/c\nf 644 0:0 o/c/f\nf 644 0:0 o/c/g\n");
  copy.sources = {"none*/x"};
  EXPECT_EQ(Place(copy, context.Open(), TreeOf({})), "d 755 0:0 o\n");
}

TEST(Copy, ExcludeIsTestedBelowEachCopiedFolder) {
  Folder context;
  context.File("d/a.md", "").File("d/s/b.md", "").File("d/keep", "");
  ir::Copy copy = CopyOf({"d"}, "/o");
  copy.exclude = {"**/*.md"};
  EXPECT_EQ(Place(copy, context.Open(), TreeOf({})),
            "d 755 0:0 o\nf 644 0:0 o/keep\nd 755 0:0 o/s\n");
}

TEST(Copy, TheDigestOfAListingIgnoresTimesAndSeesModes) {
  Folder context;
  context.File("a", "x");
  std::string path = JoinPath(context.path(), "a");
  auto digest = [&] {
    SourceTree source = context.Open();
    auto listing = *ListSources(CopyOf({"a"}, "/a"), {&source});
    EXPECT_TRUE(listing.items[0].item.entry.digest.empty());
    listing.items[0].item.entry.digest = Sha256("x");
    return ListingDigest(listing, false);
  };
  Digest first = digest();
  timespec times[2] = {{1000, 0}, {1000, 0}};
  utimensat(AT_FDCWD, path.c_str(), times, 0);
  EXPECT_EQ(digest(), first);
  chmod(path.c_str(), 0600);
  EXPECT_NE(digest(), first);
}

TEST(MakeDir, MakesWhatIsMissingForTheUser) {
  ir::MakeDir make;
  make.path = "/a/b/c";
  make.user = "7:8";
  auto diff = PlaceFolder(make, TreeOf({Dir("a")}), NoText, 5);
  ASSERT_TRUE(diff.ok());
  ASSERT_EQ(diff->entries.size(), 3u);
  EXPECT_EQ(diff->entries[2].path, "a/b/c");
  EXPECT_EQ(diff->entries[2].uid, 7u);
  EXPECT_EQ(diff->entries[2].mtime, 5);
  EXPECT_TRUE(
      PlaceFolder(make, TreeOf({Dir("a"), Dir("a/b"), Dir("a/b/c")}), NoText, 5)
          ->entries.empty());
}

}  // namespace
}  // namespace lamina::backend
