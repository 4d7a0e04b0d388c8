#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/tar/tar_reader.h"
#include "backend/tar/tar_writer.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

struct Member {
  Entry entry;
  std::string content;

  friend bool operator==(const Member&, const Member&) = default;
};

absl::StatusOr<std::vector<Member>> ReadTar(std::unique_ptr<ByteSource> source,
                                            const TarLimits& limits = {}) {
  TarReader reader(*source, limits);
  std::vector<Member> members;
  while (true) {
    Member member;
    ASSIGN_OR_RETURN(bool more, reader.Next(member.entry));
    if (!more) {
      RETURN_IF_ERROR(reader.Drain());
      return members;
    }
    ASSIGN_OR_RETURN(member.content, reader.ReadAllContent(SIZE_MAX));
    members.push_back(std::move(member));
  }
}

absl::StatusOr<std::vector<Member>> ReadTar(std::string bytes,
                                            const TarLimits& limits = {}) {
  return ReadTar(MakeMemorySource(std::move(bytes)), limits);
}

std::string WriteTar(const std::vector<Member>& members) {
  std::string out;
  for (const Member& member : members) {
    absl::StrAppend(&out, TarHeader(member.entry), member.content,
                    TarPadding(member.content.size()));
  }
  return out + TarEnd();
}

std::string MessageOf(const absl::StatusOr<std::vector<Member>>& result) {
  return result.ok() ? "no error" : std::string(result.status().message());
}

// Runs a shell script in a new folder and returns the file `out` it wrote.
std::string RunScript(const std::string& script) {
  absl::StatusOr<TempDir> folder = TempDir::Create();
  EXPECT_TRUE(folder.ok());
  std::string path = folder->path() + "/script";
  EXPECT_TRUE(ReplaceFile(path, script, 0644, false).ok());
  std::string command =
      absl::StrCat("cd ", folder->path(), " && sh -e script >log 2>&1");
  EXPECT_EQ(system(command.c_str()), 0)
      << script << *ReadFile(folder->path() + "/log");
  absl::StatusOr<std::string> out = ReadFile(folder->path() + "/out");
  EXPECT_TRUE(out.ok()) << out.status();
  return out.ok() ? *out : "";
}

std::string Python(const std::string& program) {
  return RunScript(absl::StrCat("python3 - <<'END'\nimport tarfile,io\n",
                                program, "\nEND\n"));
}

TEST(TarWriter, WritesTheHeaderByteByByte) {
  std::string header = TarHeader({.path = "etc/motd",
                                  .mode = 04755,
                                  .uid = 1000,
                                  .gid = 100,
                                  .mtime = 1700000000,
                                  .size = 5});
  std::string expected(512, '\0');
  auto put = [&expected](size_t at, absl::string_view text) {
    expected.replace(at, text.size(), std::string(text));
  };
  put(0, "etc/motd");
  put(100, "0004755");
  put(108, "0001750");
  put(116, "0000144");
  put(124, "00000000005");
  put(136, "14524770400");
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  put(329, "0000000");
  put(337, "0000000");
  unsigned sum = 8 * ' ';
  for (char c : expected) {
    sum += static_cast<unsigned char>(c);
  }
  char field[8];
  snprintf(field, sizeof field, "%06o", sum);
  put(148, field);
  put(155, " ");
  EXPECT_EQ(header, expected);
}

TEST(TarWriter, NamesFoldersRootsAndWhiteoutsAsTheSpecDoes) {
  auto name = [](const Entry& entry) {
    return std::string(TarHeader(entry).c_str());
  };
  EXPECT_EQ(name({.path = "", .type = EntryType::kDirectory}), "./");
  EXPECT_EQ(name({.path = "a/b", .type = EntryType::kDirectory}), "a/b/");
  EXPECT_EQ(name({.path = "a/b", .type = EntryType::kWhiteout}), "a/.wh.b");
  EXPECT_EQ(name({.path = "b", .type = EntryType::kWhiteout}), ".wh.b");
  EXPECT_EQ(name({.path = "a", .type = EntryType::kOpaque}), "a/.wh..wh..opq");
}

TEST(TarWriter, EmitsPaxRecordsExactlyWhenNeeded) {
  auto blocks = [](const Entry& entry) {
    return TarHeader(entry).size() / 512;
  };
  std::string name(100, 'n');
  std::string prefix(155, 'p');
  EXPECT_EQ(blocks({.path = name}), 1u);
  EXPECT_EQ(blocks({.path = prefix + "/" + name}), 1u);
  EXPECT_EQ(blocks({.path = prefix + "/" + name + "n"}), 3u);
  EXPECT_EQ(blocks({.path = "p" + prefix + "/" + name}), 3u);
  EXPECT_EQ(blocks({.path = name + "n"}), 3u);
  EXPECT_EQ(blocks({.path = "\xc3\xa4"}), 3u);
  EXPECT_EQ(blocks({.path = "a", .uid = 2097151, .gid = 2097151}), 1u);
  EXPECT_EQ(blocks({.path = "a", .uid = 2097152}), 3u);
  EXPECT_EQ(blocks({.path = "a", .mtime = 8589934591}), 1u);
  EXPECT_EQ(blocks({.path = "a", .mtime = 8589934592}), 3u);
  EXPECT_EQ(blocks({.path = "a", .mtime = -1}), 3u);
  EXPECT_EQ(blocks({.path = "a", .size = 8589934592}), 3u);
  Entry link = {.path = "a", .type = EntryType::kSymlink, .link = name};
  EXPECT_EQ(blocks(link), 1u);
  link.link += "n";
  EXPECT_EQ(blocks(link), 3u);
  // Ten bytes of digits more: the length counts itself.
  std::string header = TarHeader({.path = "a", .uid = 4000000000});
  EXPECT_STREQ(header.c_str() + 512, "18 uid=4000000000\n");
}

TEST(TarWriter, RefusesNamesThatNoLayerMayHave) {
  EXPECT_TRUE(CheckEntryName("a/b.wh.c").ok());
  EXPECT_TRUE(CheckEntryName(std::string(255, 'c')).ok());
  for (const std::string& bad :
       {std::string("a/.wh.b"), std::string(".wh.x/y"), std::string("/a"),
        std::string("a//b"), std::string("a/../b"), std::string("a/."),
        std::string(256, 'c'), std::string("a\0b", 3)}) {
    absl::Status status = CheckEntryName(bad);
    EXPECT_FALSE(status.ok()) << bad;
  }
  EXPECT_TRUE(
      absl::StrContains(CheckEntryName("a/.wh.b").message(), "`a/.wh.b`"));
}

Member RandomMember(std::mt19937_64& random, int number) {
  auto below = [&random](uint64_t limit) { return random() % limit; };
  Member member;
  Entry& entry = member.entry;
  constexpr EntryType kTypes[] = {
      EntryType::kFile,     EntryType::kDirectory,  EntryType::kSymlink,
      EntryType::kHardLink, EntryType::kCharDevice, EntryType::kBlockDevice,
      EntryType::kFifo};
  entry.type = kTypes[below(7)];
  entry.path = absl::StrCat("m", number);
  for (uint64_t parts = below(6); parts > 0; --parts) {
    std::string part(1 + below(60), static_cast<char>('a' + below(26)));
    if (below(4) == 0) {
      part[0] = static_cast<char>(1 + below(255));
      part[0] = part[0] == '/' ? 'x' : part[0];
    }
    entry.path += "/x" + part;
  }
  entry.mode = static_cast<uint32_t>(below(010000));
  entry.uid = static_cast<uint32_t>(random() >> below(64));
  entry.gid = static_cast<uint32_t>(random() >> below(64));
  entry.mtime = static_cast<int64_t>(random()) >> below(64);
  if (entry.type == EntryType::kSymlink) {
    entry.link = std::string(1 + below(150), '/') + "\xff.";
  }
  if (entry.type == EntryType::kHardLink) {
    entry.link = std::string(1 + below(150), 'l');
  }
  if (entry.type == EntryType::kCharDevice ||
      entry.type == EntryType::kBlockDevice) {
    entry.major = static_cast<uint32_t>(below(4096));
    entry.minor = static_cast<uint32_t>(below(1 << 20));
  }
  if (below(5) == 0) {
    entry.xattrs["user.a"] = std::string("\0=\n", 3);
    entry.xattrs["security.capability"] = std::string(20, '\1');
  }
  if (entry.type == EntryType::kFile) {
    member.content.resize(below(3000), static_cast<char>('a' + below(26)));
    entry.size = member.content.size();
  }
  return member;
}

TEST(Tar, ReadsBackWhatItWrote) {
  std::mt19937_64 random(7);
  std::vector<Member> members;
  for (int number = 0; number < 2000; ++number) {
    members.push_back(RandomMember(random, number));
  }
  absl::StatusOr<std::vector<Member>> read = ReadTar(WriteTar(members));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    EXPECT_TRUE((*read)[i] == members[i]) << i << members[i].entry.path;
  }
}

TEST(TarWriter, IsReadByPythonAndGnuTar) {
  std::mt19937_64 random(8);
  std::vector<Member> members;
  for (int number = 0; number < 200; ++number) {
    Member member = RandomMember(random, number);
    member.entry.mtime &= 0x7fffffff;
    members.push_back(std::move(member));
  }
  absl::StatusOr<TempDir> folder = TempDir::Create();
  ASSERT_TRUE(folder.ok());
  std::string path = folder->path() + "/x.tar";
  ASSERT_TRUE(ReplaceFile(path, WriteTar(members), 0644, false).ok());
  std::string expected;
  for (const Member& member : members) {
    const Entry& entry = member.entry;
    absl::StrAppend(&expected, entry.path, "|", entry.mode, "|", entry.uid, "|",
                    entry.gid, "|", entry.mtime, "|", entry.size, "|",
                    entry.link, "\n");
  }
  std::string listed = Python(absl::StrCat("path='", path, R"('
out=open('out','wb')
for m in tarfile.open(path, encoding='utf-8', errors='surrogateescape'):
  line='%s|%d|%d|%d|%d|%d|%s\n' % (m.name,m.mode,m.uid,m.gid,m.mtime,m.size,
                                   m.linkname)
  out.write(line.encode('utf-8','surrogateescape')))"));
  EXPECT_EQ(listed, expected);
  std::string names = RunScript(
      absl::StrCat("tar --quoting-style=literal -tf ", path, " | wc -l >out"));
  EXPECT_GE(atoi(names.c_str()), 200);
}

TEST(TarReader, ReadsEveryFormatOfGnuTar) {
  for (const char* format : {"v7", "oldgnu", "gnu", "ustar", "posix"}) {
    std::string bytes = RunScript(
        absl::StrCat("mkdir d; echo hello >d/f; ln -s f d/s; ln d/f d/h\n",
                     strcmp(format, "v7") == 0 ? "" : "mkfifo d/p\n",
                     "touch -d @1234567890 d/f\n"
                     "tar --format=",
                     format, " --sort=name --owner=7 --group=8 -cf out d"));
    absl::StatusOr<std::vector<Member>> members = ReadTar(bytes);
    ASSERT_TRUE(members.ok()) << format << members.status();
    ASSERT_EQ(members->size(), strcmp(format, "v7") == 0 ? 4u : 5u);
    const Member& file = (*members)[1];
    EXPECT_EQ((*members)[0].entry.type, EntryType::kDirectory) << format;
    EXPECT_EQ(file.entry.path, "d/f");
    EXPECT_EQ(file.entry.mtime, 1234567890);
    EXPECT_EQ(file.entry.uid, 7u);
    EXPECT_EQ(file.content, "hello\n");
    EXPECT_EQ((*members)[2].entry.type, EntryType::kHardLink);
    EXPECT_EQ((*members)[2].entry.link, "d/f");
    EXPECT_EQ(members->back().entry.link, "f");
  }
}

TEST(TarReader, ReadsLongNamesBigNumbersAndOddTimes) {
  for (const char* format : {"GNU_FORMAT", "PAX_FORMAT"}) {
    std::string bytes = Python(absl::StrCat(R"(
t=tarfile.open('out','w',format=tarfile.)",
                                            format, R"()
m=tarfile.TarInfo('d/'*60+'n'*200); m.uid=4000000000; m.mtime=-5
t.addfile(m)
m=tarfile.TarInfo('s'); m.type=tarfile.SYMTYPE; m.linkname='t'*300
m.mtime=1<<40
t.addfile(m)
t.close())"));
    absl::StatusOr<std::vector<Member>> members = ReadTar(bytes);
    ASSERT_TRUE(members.ok()) << format << members.status();
    ASSERT_EQ(members->size(), 2u);
    EXPECT_EQ((*members)[0].entry.path.size(), 320u);
    EXPECT_EQ((*members)[0].entry.uid, 4000000000u);
    EXPECT_EQ((*members)[0].entry.mtime, -5);
    EXPECT_EQ((*members)[1].entry.link, std::string(300, 't'));
    EXPECT_EQ((*members)[1].entry.mtime, int64_t{1} << 40);
  }
}

TEST(TarReader, FloorsFractionsAndIgnoresGlobalHeaders) {
  std::string bytes = Python(R"(
t=tarfile.open('out','w',format=tarfile.PAX_FORMAT,
               pax_headers={'path':'evil','comment':'x'})
m=tarfile.TarInfo('a'); m.pax_headers={'mtime':'-1.5'}
t.addfile(m)
m=tarfile.TarInfo('b'); m.pax_headers={'mtime':'12.999'}
t.addfile(m)
t.close())");
  absl::StatusOr<std::vector<Member>> members = ReadTar(bytes);
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ((*members)[0].entry.path, "a");
  EXPECT_EQ((*members)[0].entry.mtime, -2);
  EXPECT_EQ((*members)[1].entry.mtime, 12);
}

TEST(TarReader, RefusesSparseMembers) {
  for (const char* format :
       {"gnu", "posix --sparse-version=0.0", "posix --sparse-version=0.1",
        "posix --sparse-version=1.0"}) {
    std::string bytes = RunScript(absl::StrCat(
        "truncate -s 1M f; echo x >>f; tar -S -cf out --format=", format,
        " f"));
    EXPECT_TRUE(absl::StrContains(MessageOf(ReadTar(bytes)), "sparse members"))
        << format;
  }
}

TEST(TarReader, NamesTheMemberAndTheOffsetWhenTheTarIsDamaged) {
  std::string tar =
      WriteTar({{{.path = "a", .size = 3}, "abc"},
                {{.path = "b", .size = 600}, std::string(600, 'b')}});
  std::string damaged = tar;
  damaged[1024 + 2] = '!';
  EXPECT_EQ(MessageOf(ReadTar(damaged)),
            "tar at byte 1024: the checksum of the header is wrong");
  EXPECT_EQ(MessageOf(ReadTar(tar.substr(0, 2000))),
            "tar member `b` at byte 1024: the tar ends in the middle of a "
            "member");
  EXPECT_EQ(MessageOf(ReadTar(tar.substr(0, 1100))),
            "tar at byte 1024: the tar ends in the middle of a header");
  EXPECT_EQ(MessageOf(ReadTar("this is no tar")),
            "tar at byte 0: the tar ends in the middle of a header");
}

TEST(TarReader, AcceptsMissingAndRepeatedEndBlocks) {
  std::string tar = WriteTar({{{.path = "a", .size = 3}, "abc"}});
  EXPECT_EQ(ReadTar(tar.substr(0, 1024))->size(), 1u);
  EXPECT_EQ(ReadTar(tar.substr(0, 1536))->size(), 1u);
  EXPECT_EQ(ReadTar(tar + std::string(10000, '\0'))->size(), 1u);
  EXPECT_EQ(ReadTar(tar.substr(0, 1536) + tar).ok(), false);
  EXPECT_EQ(ReadTar("")->size(), 0u);
}

TEST(TarReader, CleansNamesAndRefusesThoseThatLeaveTheRoot) {
  auto path = [](const std::string& name, EntryType type = EntryType::kFile) {
    absl::StatusOr<std::vector<Member>> members =
        ReadTar(WriteTar({{{.path = name, .type = type, .link = "x"}, ""}}));
    return members.ok() ? members->at(0).entry.path : MessageOf(members);
  };
  EXPECT_EQ(path("/etc/passwd"), "etc/passwd");
  EXPECT_EQ(path("./a//b/./c"), "a/b/c");
  EXPECT_EQ(path("", EntryType::kDirectory), "");
  EXPECT_TRUE(absl::StrContains(path("../x"), "`..`"));
  EXPECT_TRUE(absl::StrContains(path("a/../../b"), "`a/../../b`"));
  EXPECT_TRUE(absl::StrContains(path(""), "empty"));
  EXPECT_TRUE(absl::StrContains(path(".", EntryType::kSymlink),
                                "the root can only be a folder"));
  EXPECT_TRUE(absl::StrContains(path("..", EntryType::kSymlink), "`..`"));
}

TEST(TarReader, HoldsItsLimits) {
  auto read = [](const Entry& entry, const TarLimits& limits) {
    return MessageOf(ReadTar(WriteTar({{entry, ""}, {entry, ""}}), limits));
  };
  Entry entry = {.path = "aaa/bbbb", .type = EntryType::kFifo};
  entry.xattrs = {{"user.a", "12345"}, {"user.b", "1"}};
  EXPECT_EQ(read(entry, {}), "no error");
  EXPECT_EQ(read(entry, {.path = 8}), "no error");
  EXPECT_TRUE(absl::StrContains(read(entry, {.path = 7}), "longer than 7"));
  EXPECT_EQ(read(entry, {.component = 4}), "no error");
  EXPECT_TRUE(absl::StrContains(read(entry, {.component = 3}), "than 3"));
  EXPECT_EQ(read(entry, {.depth = 2}), "no error");
  EXPECT_TRUE(absl::StrContains(read(entry, {.depth = 1}), "than 1 folders"));
  EXPECT_EQ(read(entry, {.entries = 2}), "no error");
  EXPECT_TRUE(absl::StrContains(read(entry, {.entries = 1}), "1 members"));
  EXPECT_EQ(read(entry, {.xattr = 5}), "no error");
  EXPECT_TRUE(absl::StrContains(read(entry, {.xattr = 4}), "than 4 bytes"));
  EXPECT_EQ(read(entry, {.xattrs = 2}), "no error");
  EXPECT_TRUE(absl::StrContains(read(entry, {.xattrs = 1}), "than 1 xattrs"));
  // "29 SCHILY.xattr.user.a=12345\n" and "25 SCHILY.xattr.user.b=1\n".
  EXPECT_EQ(read(entry, {.extended_header = 54}), "no error");
  EXPECT_TRUE(
      absl::StrContains(read(entry, {.extended_header = 53}), "than 53"));
}

TEST(TarReader, KeepsOnlyTheXattrsOfALayer) {
  Entry entry = {.path = "a"};
  entry.xattrs = {{"user.keep", "1"},
                  {"security.selinux", "label"},
                  {"trusted.overlay.opaque", "y"},
                  {"user.overlay.opaque", "y"}};
  absl::StatusOr<std::vector<Member>> members =
      ReadTar(WriteTar({{entry, ""}}));
  ASSERT_TRUE(members.ok());
  EXPECT_EQ(members->at(0).entry.xattrs.size(), 1u);
  EXPECT_TRUE(members->at(0).entry.xattrs.contains("user.keep"));
}

TEST(TarReader, SurvivesRandomDamage) {
  std::mt19937_64 random(9);
  std::vector<Member> members;
  for (int number = 0; number < 10; ++number) {
    members.push_back(RandomMember(random, number));
  }
  std::string tar = WriteTar(members);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = tar;
    for (int i = 0; i < 3; ++i) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    refused += ReadTar(damaged).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 500);
}

TEST(Whiteouts, AreInterpretedByTheirFullNames) {
  auto interpret = [](const std::string& path) {
    Entry entry = {.path = path, .mode = 0644};
    absl::StatusOr<bool> used = InterpretWhiteout(entry);
    return !used.ok() ? std::string("error")
           : !*used   ? std::string("skip")
                      : absl::StrCat(std::string(1, char(entry.type)), " ",
                                     entry.path);
  };
  EXPECT_EQ(interpret("a/b"), "f a/b");
  EXPECT_EQ(interpret("a/.wh.b"), "w a/b");
  EXPECT_EQ(interpret(".wh.b"), "w b");
  EXPECT_EQ(interpret("a/.wh..wh..opq"), "o a");
  EXPECT_EQ(interpret(".wh..wh..opq"), "o ");
  EXPECT_EQ(interpret(".wh..hidden"), "w .hidden");
  EXPECT_EQ(interpret(".wh."), "error");
  EXPECT_EQ(interpret("etc/.wh.."), "error");
  EXPECT_EQ(interpret(".wh..."), "error");
  EXPECT_EQ(interpret(".wh.etc/file"), "error");
  EXPECT_EQ(interpret(".wh..wh.plnk"), "skip");
  EXPECT_EQ(interpret(".wh..wh.plnk/1.2"), "skip");
}

struct Format {
  const char* name;
  const char* program;
};

absl::StatusOr<std::string> DecompressAll(const std::string& bytes,
                                          std::string* format) {
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source,
                   Decompress(MakeMemorySource(bytes), format));
  std::string out;
  std::string buffer(10000, '\0');
  while (true) {
    ASSIGN_OR_RETURN(size_t got, source->Read(buffer.data(), buffer.size()));
    if (got == 0) {
      return out;
    }
    out.append(buffer, 0, got);
  }
}

TEST(Decompress, FindsTheFormatAndReadsConcatenatedStreams) {
  for (Format format : {Format{"gzip", "gzip -c"}, Format{"zstd", "zstd -qc"},
                        Format{"xz", "xz -c"}, Format{"bzip2", "bzip2 -c"},
                        Format{"", "cat"}}) {
    std::string bytes =
        RunScript(absl::StrCat("seq 1 100000 >a; (", format.program, " a; ",
                               format.program, " a) >out"));
    std::string plain = RunScript("seq 1 100000 >a; cat a a >out");
    std::string found;
    absl::StatusOr<std::string> out = DecompressAll(bytes, &found);
    ASSERT_TRUE(out.ok()) << format.name << out.status();
    EXPECT_EQ(found, format.name);
    EXPECT_TRUE(*out == plain) << format.name << out->size();
  }
}

TEST(Decompress, RefusesTruncatedAndDamagedData) {
  for (Format format :
       {Format{"gzip", "gzip -c"}, Format{"zstd", "zstd -qc --check"},
        Format{"xz", "xz -c"}, Format{"bzip2", "bzip2 -c"}}) {
    std::string bytes =
        RunScript(absl::StrCat("seq 1 100000 >a; ", format.program, " a >out"));
    std::string found;
    for (size_t cut : {bytes.size() / 2, bytes.size() - 2, bytes.size() - 1}) {
      EXPECT_FALSE(DecompressAll(bytes.substr(0, cut), &found).ok())
          << format.name << cut;
    }
    std::string damaged = bytes;
    for (size_t i = 0; i < 64; ++i) {
      damaged[bytes.size() / 2 + i] ^= 0x55;
    }
    EXPECT_FALSE(DecompressAll(damaged, &found).ok()) << format.name;
  }
}

TEST(Decompress, SkipsPaddingAndSkippableFrames) {
  std::string gzip = RunScript("echo hello | gzip -n >out");
  std::string zstd = RunScript("echo hello | zstd -q >out");
  std::string skippable("\x50\x2a\x4d\x18\x03\0\0\0abc", 11);
  std::string found;
  EXPECT_EQ(*DecompressAll(gzip + std::string(100, '\0'), &found), "hello\n");
  EXPECT_FALSE(DecompressAll(gzip + "garbage", &found).ok());
  EXPECT_EQ(*DecompressAll(skippable + zstd + skippable, &found), "hello\n");
  EXPECT_EQ(found, "zstd");
  EXPECT_EQ(*DecompressAll("", &found), "");
}

}  // namespace
}  // namespace lamina::backend
