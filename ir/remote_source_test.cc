#include "ir/remote_source.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ir/graph.h"

namespace lamina::ir {
namespace {

std::string Git(absl::string_view text) {
  UrlMistake mistake;
  absl::StatusOr<GitUrl> url = ParseGitUrl(text, mistake);
  if (url.ok()) {
    return PrintOp(url->tree);
  }
  return absl::StrCat("[", text.substr(mistake.begin, mistake.size), "] ",
                      url.status().message());
}

TEST(GitUrl, FragmentsAndQueriesSayWhatIsWanted) {
  const std::pair<const char*, const char*> kCases[] = {
      {"https://h/x.git", "git \"https://h/x.git\""},
      {"https://h/x.git#v1", "git \"https://h/x.git\" ref(\"v1\")"},
      {"https://h/x.git#v1:/a/./b/",
       "git \"https://h/x.git\" ref(\"v1\") subdir(\"a/b\")"},
      {"git@h:a/x.git#:sub", "git \"git@h:a/x.git\" subdir(\"sub\")"},
      {"ssh://git@h:22/x#", "git \"ssh://git@h:22/x\""},
      {"git://h/x?branch=main&subdir=a%2Fb",
       "git \"git://h/x\" ref(\"refs/heads/main\") subdir(\"a/b\")"},
      {"git://h/x?tag=v1&submodules=false&keep-git-dir",
       "git \"git://h/x\" ref(\"refs/tags/v1\") keep-git skip-submodules"},
      {"git://h/x?ref=main&commit=c0ffee1&fetch-by-commit&mtime=commit#main",
       "git \"git://h/x\" ref(\"main\") checksum(\"c0ffee1\") by-commit "
       "commit-times"},
      {"git://h/x?tag=refs/tags/v1&mtime=checkout",
       "git \"git://h/x\" ref(\"refs/tags/v1\")"},
  };
  for (const auto& [text, op] : kCases) {
    EXPECT_EQ(Git(text), op) << text;
  }
}

TEST(GitUrl, MistakesNameTheirPart) {
  const std::pair<const char*, const char*> kCases[] = {
      {"git://h/x?ref=a#b",
       "[ref=a] has two refs; ref conflicts: \"b\" vs \"a\""},
      {"git://h/x?subdir=a#:b",
       "[subdir=a] has two folders; subdir conflicts: \"b\" vs \"a\""},
      {"git://h/x?branch=a&tag=b",
       "[tag=b] is ambiguous: branch conflicts with tag"},
      {"git://h/x?brnch=a",
       "[brnch] has an unexpected query \"brnch\"; did you mean `branch`?"},
      {"git://h/x?ref", "[ref] is incomplete: query \"ref\" has no value"},
      {"git://h/x?ref=a&ref=a",
       "[ref=a] is ambiguous: query \"ref\" has multiple values"},
      {"git://h/x?commit=c0ffee1&checksum=c0ffee2",
       "[checksum=c0ffee2] has two commits; checksum mismatch \"c0ffee1\" != "
       "\"c0ffee2\""},
      {"git://h/x?commit=main",
       "[commit=main] has the commit `main`; write at least 7 of its "
       "lower-case hex digits"},
      {"git://h/x?submodules=maybe",
       "[submodules=maybe] has query \"submodules\" with \"maybe\"; write "
       "true or false"},
      {"git://h/x?mtime=now",
       "[mtime=now] has query \"mtime\" with \"now\"; write checkout or "
       "commit"},
      {"git://h/x#main:proj/../../",
       "[main:proj/../../] asks for the folder \"proj/../../\", which leaves "
       "the repository"},
      {"git://h/x#--upload-pack=x",
       "[--upload-pack=x] asks for \"--upload-pack=x\", which is no name of a "
       "branch, a tag or a commit"},
      {"git://h/x#a..b",
       "[a..b] asks for \"a..b\", which is no name of a branch, a tag or a "
       "commit"},
      {"git://h", "[] names no repository"},
      {"git@-oProxyCommand=x:y", "[] has `-oProxyCommand=x` for a host name"},
      {"git@h:--x", "[] is no repository of the form user@host:path"},
      {"-x@h:y", "[] is no repository of the form user@host:path"},
  };
  for (const auto& [text, message] : kCases) {
    EXPECT_EQ(Git(text), message) << text;
  }
}

TEST(RemoteSource, KindsAreToldApart) {
  for (const char* git :
       {"git://h/x", "ssh://h/x", "git@h:x", "u.v@h:a/b", "https://h/x.git",
        "http://h/x.git#a.b:c", "https://h/x.git?ref=y"}) {
    EXPECT_TRUE(IsGitSource(git)) << git;
  }
  for (const char* path : {"./git@h:x", "../a@b:c", "a/b@c:d", "x.git", "@h:x",
                           "a:b@c", "github.com/x/y", "https://h/x.git/y"}) {
    EXPECT_FALSE(IsGitSource(path)) << path;
  }
  EXPECT_TRUE(IsOtherUrl("ftp://h/x"));
  EXPECT_TRUE(IsOtherUrl("file:///x"));
  EXPECT_FALSE(IsOtherUrl("a/b://c"));
  EXPECT_FALSE(IsOtherUrl("https://h/x"));
}

TEST(FileUrl, TheFileHasTheNameOfTheLastSegment) {
  const std::pair<const char*, const char*> kCases[] = {
      {"https://h/a/b.tar.gz?x=/y#z", "b.tar.gz"},
      {"https://h/a/b///", "b"},
      {"https://h", "__unnamed__"},
      {"https://h///", "__unnamed__"},
      {"https://h/a%20b", "a b"},
      {"https://h/a%2Fb", "b"},
      {"https://h/x/%2e%2e%2f",
       "[/x/%2e%2e%2f] would be a file named \"..\"; write the path of a "
       "file"},
      {"https://h/a%0Ab?q",
       "[/a%0Ab] would be a file named \"a\\x0ab\"; write the path of a "
       "file"},
      {"https://h/%", "[] has a `%` without two hex digits behind it"},
  };
  for (const auto& [text, wanted] : kCases) {
    UrlMistake mistake;
    absl::StatusOr<RemoteFile> file = ParseFileUrl(text, mistake);
    EXPECT_EQ(file.ok() ? file->name
                        : absl::StrCat("[",
                                       absl::string_view(text).substr(
                                           mistake.begin, mistake.size),
                                       "] ", file.status().message()),
              wanted)
        << text;
  }
}

TEST(Checksum, IsReadInOneFormOnly) {
  const std::string hex(64, 'a');
  UrlMistake mistake;
  EXPECT_TRUE(CheckFileChecksum("sha256:" + hex, mistake).ok());
  EXPECT_FALSE(CheckFileChecksum(hex, mistake).ok());
  EXPECT_EQ(mistake.better, "sha256:" + hex);
  EXPECT_FALSE(
      CheckFileChecksum("SHA256:" + std::string(64, 'A'), mistake).ok());
  EXPECT_EQ(mistake.better, "sha256:" + hex);
  EXPECT_FALSE(CheckFileChecksum("sha256:aa", mistake).ok());
  EXPECT_EQ(mistake.better, "");
  EXPECT_TRUE(CheckCommit("0123456").ok());
  EXPECT_FALSE(CheckCommit("012345").ok());
  EXPECT_FALSE(CheckCommit("012345G").ok());
  EXPECT_TRUE(IsWholeCommit(std::string(40, '0')));
  EXPECT_FALSE(IsWholeCommit(std::string(39, '0')));
}

}  // namespace
}  // namespace lamina::ir
