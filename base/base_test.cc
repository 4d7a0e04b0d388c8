#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/diagnostic.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/json.h"
#include "base/sarif.h"
#include "base/text.h"

namespace lamina {
namespace {

TEST(Render, MarksTheRangeAndCountsColumnsInCodePoints) {
  SourceFile source("Dockerfile", "FROM a\nCOPY ä --from=x\n");
  Diagnostics diagnostics;
  diagnostics.Error("unknown-stage", {15, 23}, "no stage named `x`");
  EXPECT_EQ(Render(diagnostics, source, {}),
            "Dockerfile:2:8: error: no stage named `x` [unknown-stage]\n"
            "  COPY ä --from=x\n"
            "         ^~~~~~~~\n");
}

TEST(Render, EscapesControlsOfTheSource) {
  SourceFile source("f", "RUN \033[2J x\n");
  Diagnostics diagnostics;
  diagnostics.Error("e", {0, 3}, "m");
  EXPECT_EQ(Render(diagnostics, source, {}),
            "f:1:1: error: m [e]\n  RUN \\x1b[2J x\n  ^~~\n");
}

TEST(Json, PrintsCanonicallyAndReadsBack) {
  auto json = ParseJson(R"({"b":[1,true,null],"a":"<\u00e4\n"})");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(PrintJson(*json), "{\"a\":\"<ä\\n\",\"b\":[1,true,null]}");
  EXPECT_EQ(*ParseJson(PrintJson(*json)), *json);
}

TEST(Json, RefusesDuplicateKeysDepthAndTrailingData) {
  EXPECT_FALSE(ParseJson(R"({"a":1,"a":2})").ok());
  EXPECT_FALSE(ParseJson(R"({"a":null,"a":2})").ok());
  EXPECT_FALSE(ParseJson("[1] x").ok());
  EXPECT_FALSE(ParseJson(std::string(100, '[')).ok());
}

TEST(Digest, ParsesOnlyItsOwnGrammar) {
  EXPECT_EQ(Sha256("").ToString(),
            "sha256:"
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(*Digest::Parse(Sha256("x").ToString()), Sha256("x"));
  EXPECT_FALSE(Digest::Parse("sha256:../../x").ok());
  EXPECT_FALSE(Digest::Parse("sha256:" + std::string(64, 'A')).ok());
}

TEST(Sarif, CountsCodePointsAndEscapesFileNames) {
  SourceFile source("a b/é", "ENV é=ü x\nRUN y\n");
  Diagnostics diagnostics;
  diagnostics.Error("some-code", {10, 11}, "a \"quoted\" word");
  diagnostics.Warning("other-code", {12, 18}, "a line with its end");
  absl::StatusOr<Json> log =
      ParseJson(RenderSarif({{diagnostics, source}}, "1"));
  ASSERT_TRUE(log.ok());
  const Json& run = (*log)["runs"].array()[0];
  EXPECT_EQ((*log)["version"].string(), "2.1.0");
  EXPECT_EQ(run["columnKind"].string(), "unicodeCodePoints");
  const Json::List& results = run["results"].array();
  ASSERT_EQ(results.size(), 2u);
  const Json& place = results[0]["locations"].array()[0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"].string(), "a%20b/%C3%A9");
  EXPECT_EQ(PrintJson(place["region"]),
            R"({"endColumn":10,"endLine":1,"startColumn":9,"startLine":1})");
  // The line end is no column of the next line.
  const Json& line = results[1]["locations"].array()[0]["physicalLocation"];
  EXPECT_EQ(PrintJson(line["region"]),
            R"({"endColumn":6,"endLine":2,"startColumn":1,"startLine":2})");
  const Json::List& rules = run["tool"]["driver"]["rules"].array();
  for (const Json& result : results) {
    EXPECT_EQ(rules[result["ruleIndex"].integer()]["id"], result["ruleId"]);
  }
}

TEST(Text, FindsTheNearestWord) {
  EXPECT_EQ(Closest("biuld", {"base", "build"}), "build");
  // Two letters swapped are one mistake.
  EXPECT_EQ(Closest("RNU", {"ENV", "RUN"}), "RUN");
  EXPECT_EQ(Closest("xyz", {"build"}), std::nullopt);
}

TEST(Text, SizesHaveBinaryUnits) {
  EXPECT_EQ(BinarySize(0), "0 B");
  EXPECT_EQ(BinarySize(1023), "1023 B");
  EXPECT_EQ(BinarySize(1024), "1.0 KiB");
  EXPECT_EQ(BinarySize(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(BinarySize(uint64_t{130} << 20), "130.0 MiB");
}

TEST(Text, BytesThatAreNoUtf8AreEscaped) {
  EXPECT_EQ(EscapeControls("a\x1b[1mé"), "a\\x1b[1mé");
  // A form that is too long, a surrogate, and beyond the last character.
  EXPECT_EQ(EscapeControls("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
  EXPECT_EQ(EscapeControls("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(EscapeControls("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(EscapeControls("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf");
}

TEST(Paths, AreCleanedLexically) {
  EXPECT_EQ(CleanPath("/a/../../b//c/."), "/b/c");
  EXPECT_EQ(CleanPath("../a/.."), "..");
  EXPECT_EQ(CleanPath(""), ".");
  EXPECT_EQ(JoinPath("/x/", "/y"), "/x/y");
}

TEST(Files, OpenInRootResolvesAbsoluteSymlinksInside) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE(MakeDirs(dir->path() + "/etc").ok());
  ASSERT_TRUE(ReplaceFile(dir->path() + "/etc/f", "in", 0644, false).ok());
  ASSERT_EQ(symlink("/etc", (dir->path() + "/link").c_str()), 0);
  auto root = OpenFile(dir->path(), O_PATH | O_DIRECTORY);
  ASSERT_TRUE(root.ok());
  auto file = OpenInRoot(root->get(), "link/f", O_RDONLY);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*ReadAll(file->get()), "in");
  EXPECT_FALSE(OpenBeneath(root->get(), "link/f", O_RDONLY).ok());
}

}  // namespace
}  // namespace lamina
