#include "ir/layout/atoms.h"

#include <map>

#include "absl/strings/str_join.h"
#include "ir/layout/change_vector.h"
#include "ir/layout/test_fixtures.h"

namespace lamina::ir {
namespace {

using Files = std::map<std::string, std::string>;

// "path owner" of each path that has one.
std::vector<std::string> Owners(const std::vector<std::string>& paths,
                                const Files& files) {
  std::vector<std::string> out;
  auto read = [&files](const std::string& path) -> std::optional<std::string> {
    auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  for (const auto& [path, owner] : FindOwners(paths, read)) {
    out.push_back(absl::StrCat(path, " ", owner));
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST(Owners, DpkgListsNameFilesAsTheyWereBeforeUsrMerge) {
  EXPECT_EQ(
      Owners({"usr", "usr/bin/ls", "usr/lib/libc.so", "usr/share",
              "usr/share/doc/libc6", "var/lib/dpkg/info/a.list",
              "var/lib/dpkg/info/libc6:amd64.list",
              "var/lib/dpkg/info/libc6:amd64.postinst",
              "var/lib/dpkg/info/other.list"},
             {{"var/lib/dpkg/info/libc6:amd64.list",
               "/.\n/usr\n/lib/libc.so\n/usr/share\n"
               "/usr/share/doc/libc6\n/gone\n"},
              {"var/lib/dpkg/info/a.list", "/usr\n/usr/bin/ls\n/usr/share\n"}}),
      (Lines{"usr/bin/ls deb:a", "usr/lib/libc.so deb:libc6",
             "usr/share/doc/libc6 deb:libc6", "var/lib/dpkg/info/a.list deb:a",
             "var/lib/dpkg/info/libc6:amd64.list deb:libc6",
             "var/lib/dpkg/info/libc6:amd64.postinst deb:libc6",
             "var/lib/dpkg/info/other.list deb:other"}));
}

TEST(Owners, ApkInstalled) {
  EXPECT_EQ(
      Owners({"bin/busybox", "etc/x", "lib/apk/db/installed", "top"},
             {{"lib/apk/db/installed",
               "C:Q1\nP:busybox\nF:bin\nR:busybox\nF:etc\n\n"
               "P:base\nF:\nR:top\nF:etc\nR:x\n"}}),
      (Lines{"bin/busybox apk:busybox", "etc/x apk:base", "top apk:base"}));
}

TEST(Owners, PipRecordsReachOutOfTheirFolder) {
  const std::string site = "usr/lib/python3/site-packages/";
  EXPECT_EQ(
      Owners({"usr/bin/flask", site + "Flask_Cors-3.0.dist-info",
              site + "Flask_Cors-3.0.dist-info/METADATA",
              site + "Flask_Cors-3.0.dist-info/RECORD", site + "flask/a, b.py",
              site + "other.py"},
             {{site + "Flask_Cors-3.0.dist-info/RECORD",
               "../../../bin/flask,sha256=x,1\r\n\"flask/a, b.py\",,\n"}}),
      (Lines{"usr/bin/flask pip:flask-cors",
             site + "Flask_Cors-3.0.dist-info pip:flask-cors",
             site + "Flask_Cors-3.0.dist-info/METADATA pip:flask-cors",
             site + "Flask_Cors-3.0.dist-info/RECORD pip:flask-cors",
             site + "flask/a, b.py pip:flask-cors"}));
}

TEST(Owners, NpmGemAndGoSayItByTheirFolders) {
  EXPECT_EQ(
      Owners({"app/node_modules/@t/n/package.json", "app/node_modules/a/lib",
              "app/node_modules/a/node_modules/b/package.json",
              "app/node_modules/a/package.json", "app/node_modules/x/y",
              "g/gems/rake-gem-13.0/lib/r.rb",
              "g/specifications/rake-gem-13.0.gemspec",
              "root/go/pkg/mod/cache/download/golang.org/x/sys/@v/list",
              "root/go/pkg/mod/golang.org/x/sys@v0.1.0/unix/a.go"},
             {}),
      (Lines{"app/node_modules/@t/n/package.json npm:@t/n",
             "app/node_modules/a/lib npm:a",
             "app/node_modules/a/node_modules/b/package.json npm:b",
             "app/node_modules/a/package.json npm:a",
             "g/gems/rake-gem-13.0/lib/r.rb gem:rake-gem",
             "g/specifications/rake-gem-13.0.gemspec gem:rake-gem",
             "root/go/pkg/mod/cache/download/golang.org/x/sys/@v/list "
             "go:golang.org/x/sys",
             "root/go/pkg/mod/golang.org/x/sys@v0.1.0/unix/a.go "
             "go:golang.org/x/sys"}));
}

// "id bytes changed first-last: paths", one line an atom.
Lines Show(const Trace& trace, const ReadText& read = nullptr) {
  absl::StatusOr<PathHistories> histories = PathHistories::Collect(trace);
  EXPECT_TRUE(histories.ok()) << histories.status();
  Lines out;
  for (const Atom& atom : FindAtoms(*histories, CountEpochs(trace), read)) {
    std::vector<absl::string_view> paths;
    for (int path : atom.paths) {
      paths.push_back(histories->path(path));
    }
    out.push_back(absl::StrCat(atom.id, " ", atom.bytes, " ", atom.changed, " ",
                               atom.first_step, "-", atom.last_step, ": ",
                               absl::StrJoin(paths, " ")));
  }
  return out;
}

TEST(Atoms, AreOwnersOrStepsAndFolders) {
  Trace trace = MakeTrace({{{"a/b/c/d", FileState("1", 100)},
                            {"a/b/e", FileState("2", 10)},
                            {"top", FileState("3", 1)}},
                           {{"a/b/e", FileState("2", 10, 0600)},
                            {"etc/ld.so.cache", FileState("4", 5)},
                            {"gone", std::nullopt},
                            {"was-file", FolderState()}}});
  trace.base = {{"gone", FileState("g", 9)}, {"was-file", FileState("w", 9)}};
  trace.epochs = {{1, {1}}, {2, {2}}};
  // e has its bytes of step 1 and its mode of step 2.
  EXPECT_EQ(Show(trace),
            (Lines{"base-changes 1024 6 2-2: gone was-file",
                   "index 517 6 2-2: etc/ld.so.cache",
                   "step:1:. 513 1 1-1: top", "step:1:a/b 612 1 1-1: a/b/c/d",
                   "step:1:a/b@1 522 7 1-2: a/b/e"}));
}

TEST(Atoms, NamesOfAnInodeStayTogetherAndCountOnce) {
  Trace trace = MakeTrace({{{"x/a", LinkedState("i", 1000)},
                            {"y/b", LinkedState("i", 1000)},
                            {"y/c", FileState("c", 1)}}});
  EXPECT_EQ(Show(trace),
            (Lines{"step:1:x 2024 0 1-1: x/a y/b", "step:1:y 513 0 1-1: y/c"}));
}

TEST(Atoms, ContentsIgnoreTimesAndLinkNames) {
  auto contents = [](const PathState& state) {
    Trace trace = MakeTrace({{{"a", state}, {"b", state}}});
    absl::StatusOr<PathHistories> histories = PathHistories::Collect(trace);
    return FindAtoms(*histories, CountEpochs(trace), nullptr)[0].contents;
  };
  PathState one = LinkedState("i", 5);
  PathState two = one;
  two.mtime = 7;
  two.link = "j";
  EXPECT_EQ(contents(one), contents(two));
  two.link = "";
  EXPECT_NE(contents(one), contents(two));
  two = one;
  two.body = "other";
  EXPECT_NE(contents(one), contents(two));
}

TEST(Atoms, HeavyEpochsAreHalved) {
  Trace trace = MakeTrace({{}, {}});
  trace.epochs = {{1000, {1}}, {3, {2}}};
  EpochBits bits = CountEpochs(trace);
  EXPECT_EQ(bits.epochs, 502);
  EXPECT_EQ(CountEvents(bits.vectors[0]), 500);
  EXPECT_EQ(CountEvents(bits.vectors[1]), 2);
  trace.epochs = {};
  EXPECT_EQ(CountEpochs(trace).epochs, 1);
}

TEST(Atoms, EveryPathOfTheNetDiffIsInOne) {
  SKIP_WITHOUT_FIXTURES();
  for (const TraceCase& test : ReadTraceCases()) {
    absl::StatusOr<PathHistories> histories =
        PathHistories::Collect(test.trace);
    ASSERT_TRUE(histories.ok());
    uint64_t bytes = 0;
    size_t paths = 0;
    for (const Atom& atom :
         FindAtoms(*histories, CountEpochs(test.trace), nullptr)) {
      bytes += atom.bytes;
      paths += atom.paths.size();
    }
    EXPECT_EQ(static_cast<int64_t>(bytes), test.expected["squashed"].integer())
        << test.trace.name;
    const Json& segments = test.expected["segments"];
    if (!segments.is_null()) {
      EXPECT_EQ(static_cast<int64_t>(paths),
                segments["entries"].array()[0].array().back().integer());
    }
  }
}

}  // namespace
}  // namespace lamina::ir
