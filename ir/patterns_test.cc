// Wildcards and ignore files, as tables.
#include "ir/patterns.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace lamina::ir {
namespace {

constexpr char kBad = 'e';

struct Row {
  const char* pattern;
  const char* name;
  char result;  // 'y', 'n', or kBad for a syntax error.
};

TEST(Wildcard, NamesMatchAsInGo) {
  const Row kRows[] = {
      {"abc", "abc", 'y'},
      {"abc", "abd", 'n'},
      {"abc", "ab", 'n'},
      {"ab", "abc", 'n'},
      {"", "", 'y'},
      {"", "a", 'n'},
      {"*", "", 'y'},
      {"*", "abc", 'y'},
      {"*", "a/b", 'n'},
      {"**", "a/b", 'n'},
      {"***", "abc", 'y'},
      {"*c", "abc", 'y'},
      {"*c", "abcc", 'y'},
      {"*c", "abd", 'n'},
      {"a*", "a", 'y'},
      {"a*", "abc", 'y'},
      {"a*", "ab/c", 'n'},
      {"a*/b", "abc/b", 'y'},
      {"a*/b", "a/c/b", 'n'},
      {"*/b", "a/b", 'y'},
      {"*/b", "/b", 'y'},
      {"*/b", "b", 'n'},
      {"a/*", "a/", 'y'},
      {"a*b*c*d*e*/f", "axbxcxdxe/f", 'y'},
      {"a*b*c*d*e*/f", "axbxcxdxexxx/f", 'y'},
      {"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", 'n'},
      {"a*b*c*d*e*/f", "axbxcxdxexxx/fff", 'n'},
      {"a*b?c*x", "abxbbxdbxebxczzx", 'y'},
      {"a*b?c*x", "abxbbxdbxebxczzy", 'n'},
      {"ab[c]", "abc", 'y'},
      {"ab[b-d]", "abc", 'y'},
      {"ab[e-g]", "abc", 'n'},
      {"ab[^c]", "abc", 'n'},
      {"ab[^b-d]", "abc", 'n'},
      {"ab[^e-g]", "abc", 'y'},
      {"ab[!c]", "ab!", 'y'},
      {"ab[!c]", "abd", 'n'},
      {"a\\*b", "a*b", 'y'},
      {"a\\*b", "ab", 'n'},
      {"a\\\\b", "a\\b", 'y'},
      {"a?b", "a\u263Ab", 'y'},
      {"a[^a]b", "a\u263Ab", 'y'},
      {"a???b", "a\u263Ab", 'n'},
      {"a[^a][^a][^a]b", "a\u263Ab", 'n'},
      {"[a-\u03B6]*", "\u03B1", 'y'},
      {"*[a-\u03B6]", "A", 'n'},
      {"a?b", "a/b", 'n'},
      {"a*b", "a/b", 'n'},
      {"a[^x]b", "a/b", 'y'},
      {"[\\]a]", "]", 'y'},
      {"[\\-]", "-", 'y'},
      {"[x\\-]", "x", 'y'},
      {"[x\\-]", "-", 'y'},
      {"[x\\-]", "z", 'n'},
      {"[\\-x]", "x", 'y'},
      {"[\\-x]", "a", 'n'},
      {"arr[[]0].txt", "arr[0].txt", 'y'},
      {"[]a]", "]", kBad},
      {"[-]", "-", kBad},
      {"[x-]", "x", kBad},
      {"[x-]", "z", kBad},
      {"[-x]", "x", kBad},
      {"\\", "a", kBad},
      {"[a-b-c]", "a", kBad},
      {"[", "a", kBad},
      {"[^", "a", kBad},
      {"[^bc", "a", kBad},
      {"a[", "a", kBad},
      {"a[", "ab", kBad},
      {"a[", "x", kBad},
      {"a/b[", "x", kBad},
      {"*a[", "x", kBad},
      {"x*[", "y", kBad},
      {"[\xFF]", "\xFF", kBad},
      {"?", "\xFF", 'y'},
      {"*x", "xxx", 'y'},
      {"*[b-]", "ab", kBad},
      {"]", "]", 'y'},
      {"a-b", "a-b", 'y'},
      {"[z-a]", "m", 'n'},
      {"[*]", "*", 'y'},
      {"[*?]x", "?x", 'y'},
  };
  static_assert(std::size(kRows) >= 60);
  for (const Row& row : kRows) {
    absl::StatusOr<bool> match = MatchWildcard(row.pattern, row.name);
    char result = match.ok() ? (*match ? 'y' : 'n') : kBad;
    EXPECT_EQ(result, row.result) << row.pattern << " on " << row.name;
    if (!match.ok()) {
      EXPECT_EQ(std::string(match.status().message()),
                "syntax error in pattern");
    }
  }
}

TEST(Wildcard, OnlySpecialCharactersMakeAWildcard) {
  for (const char* pattern : {"*", "a?", "a[b]", "a\\b", "[", "\\"}) {
    EXPECT_TRUE(HasWildcard(pattern)) << pattern;
  }
  for (const char* pattern : {"", "a", "a]b", "!a", "{a,b}", "a^$.+()|"}) {
    EXPECT_FALSE(HasWildcard(pattern)) << pattern;
  }
}

TEST(Ignore, OnePatternMatchesOneWholePath) {
  const Row kRows[] = {
      // Literal text: the whole path, from the root.
      {"a", "a", 'y'},
      {"a", "b", 'n'},
      {"a", "a/b", 'n'},
      {"a", "b/a", 'n'},
      {"a", "ab", 'n'},
      {"a/b", "a/b", 'y'},
      {"a/b", "a/b/c", 'n'},
      {"a/b", "x/a/b", 'n'},
      {".", "a", 'n'},
      {".git", ".git", 'y'},
      {"a.b", "axb", 'n'},
      {"a.b", "a.b", 'y'},
      {"a+b", "a+b", 'y'},
      {"a+b", "aab", 'n'},
      {"(a|b)", "(a|b)", 'y'},
      {"(a|b)", "a", 'n'},
      {"a{2}", "a{2}", 'y'},
      {"a$", "a$", 'y'},
      {"^a", "^a", 'y'},
      {"^a", "a", 'n'},
      {"\u00E4", "\u00E4", 'y'},
      {"a b", "a b", 'y'},
      // One star.
      {"*", "a", 'y'},
      {"*", "a/b", 'n'},
      {"*", ".a", 'y'},
      {"*.go", "a.go", 'y'},
      {"*.go", ".go", 'y'},
      {"*.go", "a.gox", 'n'},
      {"*.go", "axgo", 'n'},
      {"*.go", "d/a.go", 'n'},
      {"d/*.go", "d/a.go", 'y'},
      {"d/*.go", "d/e/a.go", 'n'},
      {"*/a", "d/a", 'y'},
      {"*/a", "a", 'n'},
      {"*/a", "d/e/a", 'n'},
      {"*/*/a", "d/e/a", 'y'},
      {"*/*", "a", 'n'},
      {"*/*", "a/b", 'y'},
      {"a*", "a", 'y'},
      {"a*", "ab", 'y'},
      {"a*", "ab/c", 'n'},
      {"a*b", "ab", 'y'},
      {"a*b", "axxb", 'y'},
      {"a*b", "a/b", 'n'},
      {"a*b*c", "axbxbxc", 'y'},
      {"a*b*c", "axc", 'n'},
      {"*a*", "xax", 'y'},
      {"*.*", "a.b", 'y'},
      {"*.*", "ab", 'n'},
      // One character.
      {"?", "a", 'y'},
      {"?", "", 'n'},
      {"?", "ab", 'n'},
      {"?", "/", 'n'},
      {"?", "\u00E4", 'y'},
      {"a?c", "abc", 'y'},
      {"a?c", "a/c", 'n'},
      {"a?c", "ac", 'n'},
      {"a??", "abc", 'y'},
      {"?*", "a", 'y'},
      {"?*", "abc", 'y'},
      {"temp?", "tempa", 'y'},
      {"temp?", "temp", 'n'},
      // Classes.
      {"[ab]", "a", 'y'},
      {"[ab]", "c", 'n'},
      {"[ab]", "ab", 'n'},
      {"[a-c]x", "bx", 'y'},
      {"[a-c]x", "dx", 'n'},
      {"[^a]", "b", 'y'},
      {"[^a]", "a", 'n'},
      {"[^a-c]", "d", 'y'},
      {"[!a]", "!", 'y'},
      {"[!a]", "a", 'y'},
      {"[!a]", "b", 'n'},
      {"[.]", ".", 'y'},
      {"[.]", "a", 'n'},
      {"[a-z0-9]", "5", 'y'},
      {"*[0-9]", "a5", 'y'},
      {"*[0-9]", "a5b", 'n'},
      {"[\u00E0-\u00FF]", "\u00E4", 'y'},
      {"**/[ab]", "x/b", 'y'},
      {"a[\\]]", "a]", 'y'},
      // Escapes.
      {"\\a", "a", 'y'},
      {"\\*", "*", 'y'},
      {"\\*", "a", 'n'},
      {"a\\?", "a?", 'y'},
      {"a\\?", "ab", 'n'},
      {"\\[a]", "[a]", 'y'},
      {"\\[a]", "a", 'n'},
      {"\\#a", "#a", 'y'},
      {"\\!a", "!a", 'y'},
      {"\\d", "d", 'y'},
      {"\\d", "5", 'n'},
      {"\\\\", "\\", 'y'},
      {"\\**", "*x", 'y'},
      // Two stars at the end: any rest.
      {"**", "a", 'y'},
      {"**", "a/b/c", 'y'},
      {"**", ".a", 'y'},
      {"a/**", "a/b", 'y'},
      {"a/**", "a/b/c", 'y'},
      {"a/**", "a", 'n'},
      {"a/**", "ab", 'n'},
      {"a/**", "x/a/b", 'n'},
      {"a**", "a", 'y'},
      {"a**", "ab/c", 'y'},
      {"a**", "ba", 'n'},
      {"*/**", "a/b/c", 'y'},
      {"*/**", "a", 'n'},
      {"a*/**", "ab/c", 'y'},
      {"?/**", "ab/c", 'n'},
      // Two stars and literal text: the end of the path.
      {"**/a", "a", 'y'},
      {"**/a", "b/a", 'y'},
      {"**/a", "c/b/a", 'y'},
      {"**/a", "ba", 'n'},
      {"**/a", "a/b", 'n'},
      {"**/a/b", "a/b", 'y'},
      {"**/a/b", "x/a/b", 'y'},
      {"**/a/b", "xa/b", 'n'},
      {"**a", "a", 'y'},
      {"**a", "ba", 'y'},
      {"**a", "c/ba", 'y'},
      {"**a", "ab", 'n'},
      {"**.go", "a.go", 'y'},
      {"**.go", "d/a.go", 'y'},
      {"**.go", "axgo", 'n'},
      {"**/.git", ".git", 'y'},
      {"**/.git", "x/.git", 'y'},
      {"**/.git", "x.git", 'n'},
      {"**/a+b", "x/a+b", 'y'},
      // Two stars before a wildcard: folders, or nothing.
      {"**/*.go", "a.go", 'y'},
      {"**/*.go", "d/a.go", 'y'},
      {"**/*.go", "d/e/a.go", 'y'},
      {"**/*.go", "d/a.gox", 'n'},
      {"**/?", "a", 'y'},
      {"**/?", "x/a", 'y'},
      {"**/?", "x/ab", 'n'},
      {"***", "a/b", 'y'},
      {"**/*", "a/b/c", 'y'},
      {"**/*/a", "x/a", 'y'},
      {"**/*/a", "a", 'n'},
      // In the middle.
      {"a/**/b", "a/b", 'y'},
      {"a/**/b", "a/x/b", 'y'},
      {"a/**/b", "a/x/y/b", 'y'},
      {"a/**/b", "a/xb", 'n'},
      {"a/**/b", "ab", 'n'},
      {"a/**/b", "a/b/c", 'n'},
      {"a**b", "ab", 'y'},
      {"a**b", "ax/b", 'y'},
      {"a**b", "axb", 'n'},
      {"a**/b", "ab", 'y'},
      {"a**/b", "axx/y/b", 'y'},
      {"a/**/b/**/c", "a/b/c", 'y'},
      {"a/**/b/**/c", "a/x/b/y/z/c", 'y'},
      {"a/**/b/**/c", "a/x/c", 'n'},
      {"a/**/*.txt", "a/b.txt", 'y'},
      {"a/**/*.txt", "a/x/y/b.txt", 'y'},
      {"a/**/*.txt", "b.txt", 'n'},
      // At both ends.
      {"**/a/**", "a/b", 'y'},
      {"**/a/**", "x/a/b/c", 'y'},
      {"**/a/**", "a", 'n'},
      {"**/a/**", "x/a", 'n'},
      {"**/a/**", "xa/b", 'n'},
      {"**/a**", "x/ab/c", 'y'},
      {"**/node_modules/**", "p/node_modules/q/r", 'y'},
      {"**/x/*/y", "x/a/y", 'y'},
      {"**/x/*/y", "w/x/a/y", 'y'},
      {"**/x/*/y", "x/a/b/y", 'n'},
  };
  static_assert(std::size(kRows) >= 150);
  for (const Row& row : kRows) {
    EXPECT_EQ(MatchIgnorePattern(row.pattern, row.name) ? 'y' : 'n', row.result)
        << row.pattern << " on " << row.name;
  }
}

// What is left of the paths (parents first), walking down as the context does.
std::string Kept(const IgnoreMatcher& matcher,
                 const std::vector<std::string>& paths) {
  std::vector<std::string> kept;
  std::vector<std::pair<std::string, IgnoreMemory>> folders;
  for (const std::string& path : paths) {
    while (!folders.empty() &&
           !absl::StartsWith(path, folders.back().first + "/")) {
      folders.pop_back();
    }
    IgnoreMemory root;
    const IgnoreMemory& parent = folders.empty() ? root : folders.back().second;
    IgnoreMemory memory;
    if (!matcher.Ignored(path, parent, memory)) {
      kept.push_back(path);
    }
    folders.emplace_back(path, memory);
  }
  return absl::StrJoin(kept, " ");
}

absl::StatusOr<IgnoreMatcher> ParseText(absl::string_view text) {
  Diagnostics diagnostics;
  IgnoreMatcher matcher = IgnoreMatcher::ParseFile(
      SourceFile(".dockerignore", std::string(text)), diagnostics);
  if (diagnostics.has_errors()) {
    return absl::InvalidArgumentError(diagnostics.all()[0].message);
  }
  return matcher;
}

TEST(Ignore, FoldersRememberWhatMatchedThem) {
  const std::vector<std::string> paths = {"a",   "d",     "d/e", "d/e/f",
                                          "d/x", "d/x/y", "x"};
  const std::pair<const char*, const char*> kCases[] = {
      {"", "a d d/e d/e/f d/x d/x/y x"},
      {"a", "d d/e d/e/f d/x d/x/y x"},
      // A folder takes along what is below it.
      {"d", "a x"},
      {"d/x", "a d d/e d/e/f x"},
      {"*", ""},
      {"**", ""},
      {"d/**", "a d x"},
      {"d/*", "a d x"},
      {"**/x", "a d d/e d/e/f"},
      // `!` takes back what an earlier line took, below too.
      {"*\n!a", "a"},
      {"*\n!d", "d d/e d/e/f d/x d/x/y"},
      {"*\n!d/e", "d/e d/e/f"},
      {"*\n!d/e/f", "d/e/f"},
      {"*\n!**/y", "d/x/y"},
      {"d\n!d/x", "a d/x d/x/y x"},
      {"d\n!d/x\nd/x/y", "a d/x x"},
      {"*\n!d\nd/x", "d d/e d/e/f"},
      {"!a\n*", ""},
      {"!a\na", "d d/e d/e/f d/x d/x/y x"},
      {"**/x\n!x", "a d d/e d/e/f x"},
      // A `!` for a folder that was not ignored comes too early to count.
      {"d/x\n!d", "a d d/e d/e/f x"},
      {"d/e\n!d\nd/x", "a d x"},
      {"d/x\n!d/x", "a d d/e d/e/f d/x d/x/y x"},
  };
  for (const auto& [text, kept] : kCases) {
    absl::StatusOr<IgnoreMatcher> matcher = ParseText(text);
    ASSERT_TRUE(matcher.ok()) << matcher.status();
    EXPECT_EQ(Kept(*matcher, paths), kept) << text;
  }
}

TEST(Ignore, LinesAreCleanedBeforeTheyArePatterns) {
  const std::vector<std::string> paths = {"#b", "a", "a/b", "a/b/c", "d"};
  const std::pair<const char*, const char*> kCases[] = {
      {"\xEF\xBB\xBF"
       "a",
       "#b d"},
      {"a\r\nd\r\n", "#b"},
      {"#b\n# note\n\n   \n", "#b a a/b a/b/c d"},
      {" #b", "a a/b a/b/c d"},
      {"\\#b", "a a/b a/b/c d"},
      {"  a\t", "#b d"},
      {"/a", "#b d"},
      {"./a/", "#b d"},
      {"a//b/.", "#b a d"},
      {"x/../a", "#b d"},
      {"//a", "#b d"},
      {"a\n! a/b", "#b a/b a/b/c d"},
      {"a\n!/a/b/", "#b a/b a/b/c d"},
      {".", "#b a a/b a/b/c d"},
      {"/", "#b a a/b a/b/c d"},
      {"../a", "#b a a/b a/b/c d"},
  };
  for (const auto& [text, kept] : kCases) {
    absl::StatusOr<IgnoreMatcher> matcher = ParseText(text);
    ASSERT_TRUE(matcher.ok()) << matcher.status();
    EXPECT_EQ(Kept(*matcher, paths), kept) << text;
  }
}

TEST(Ignore, MistakesNameTheirPlaceAndAllAreReported) {
  const std::pair<std::string, const char*> kCases[] = {
      {"a\n!", "2:1 illegal exclusion pattern: \"!\""},
      {" ! ", "1:2 illegal exclusion pattern: \"!\""},
      {"# x\n\n  a[", "3:3 syntax error in pattern"},
      {"\xEF\xBB\xBF[", "1:2 syntax error in pattern"},
      {"!a\\", "1:1 syntax error in pattern"},
      {"b\n" + std::string((64 << 10) + 1, 'a'),
       "2:1 the line is longer than 64 KiB"},
      {"[\nb\n!\n",
       "1:1 syntax error in pattern 3:1 illegal exclusion pattern: \"!\""},
      {std::string(64 << 10, 'a'), ""},
  };
  for (const auto& [text, error] : kCases) {
    SourceFile file(".dockerignore", text);
    Diagnostics diagnostics;
    IgnoreMatcher::ParseFile(file, diagnostics);
    std::vector<std::string> found;
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      SourcePosition place = file.Position(diagnostic.range->begin);
      absl::string_view message = diagnostic.message;
      found.push_back(absl::StrCat(place.line, ":", place.column, " ",
                                   message.substr(0, message.find(';'))));
    }
    EXPECT_EQ(absl::StrJoin(found, " "), error) << text.substr(0, 20);
  }
  EXPECT_EQ(std::string(IgnoreMatcher::Create({"a["}).status().message()),
            "a[: syntax error in pattern");
}

TEST(Ignore, PatternsOfAnOptionAreNoLinesOfAFile) {
  absl::StatusOr<IgnoreMatcher> matcher =
      IgnoreMatcher::Create({"#b", "/a", "", "*.o", "!keep.o"});
  ASSERT_TRUE(matcher.ok());
  EXPECT_EQ(Kept(*matcher, {"#b", "a", "keep.o", "x.o"}), "a keep.o");
  EXPECT_TRUE(IgnoreMatcher::Create({" ", ""})->empty());
}

TEST(Ignore, AnIgnoredFolderIsEnteredIfAnExclusionMayMatchBelow) {
  struct Case {
    const char* text;
    const char* folder;
    bool enter;
  };
  const Case kCases[] = {
      {"d", "d", false},           {"d\n!d/e", "d", true},
      {"d\n!d/e", "x", false},     {"d\n!d/e/f", "d/e", true},
      {"d\n!d/e/f", "d/x", false}, {"d\n!d/e", "d/e", false},
      {"*\n!**/x", "any", true},   {"*\n!*/x", "any", true},
      {"*\n!*/x", "any/x", false}, {"*\n!a*/x", "b", false},
      {"*\n!a*/x", "ab", true},    {"*\n!x", "d", false},
      {"*\n![ab]/x", "a", true},   {"*\n!d**", "dx/y", true},
  };
  for (const Case& row : kCases) {
    EXPECT_EQ(ParseText(row.text)->MustEnter(row.folder), row.enter)
        << row.text << " on " << row.folder;
  }
}

// Entering an ignored folder must never be refused if something below it is
// kept: every short list of patterns over a small tree.
TEST(Ignore, NothingKeptIsBelowAFolderThatNeedNotBeEntered) {
  const std::vector<std::string> paths = {"a",     "a/a", "a/a/b", "a/b",
                                          "a/b/a", "b",   "b/a",   "b/b"};
  const std::vector<std::string> parts = {"a",   "b",    "a/b",   "a/b/a",
                                          "*",   "*/b",  "**/a",  "a/*",
                                          "a**", "b/**", "[a]/b", "**"};
  std::vector<std::string> lines = parts;
  for (const std::string& part : parts) {
    lines.push_back("!" + part);
  }
  int checked = 0;
  for (const std::string& x : lines) {
    for (const std::string& y : lines) {
      for (const std::string& z : lines) {
        absl::StatusOr<IgnoreMatcher> matcher =
            IgnoreMatcher::Create({x, y, z});
        ASSERT_TRUE(matcher.ok());
        std::vector<std::string> kept =
            absl::StrSplit(Kept(*matcher, paths), ' ', absl::SkipEmpty());
        for (const std::string& path : kept) {
          std::string folder = path.substr(0, path.rfind('/'));
          bool ignored = path != folder && std::find(kept.begin(), kept.end(),
                                                     folder) == kept.end();
          if (ignored) {
            ++checked;
            EXPECT_TRUE(matcher->MustEnter(folder))
                << x << " " << y << " " << z << " on " << path;
          }
        }
      }
    }
  }
  EXPECT_GT(checked, 1000);
}

TEST(Ignore, HostilePatternsTakeNoLongerThanOthers) {
  std::string stars;
  for (int i = 0; i < 200; ++i) {
    stars += "*a";
  }
  std::string name(2000, 'a');
  auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(*MatchWildcard(stars + "b", name));
  EXPECT_FALSE(MatchIgnorePattern(stars + "b", name));
  EXPECT_FALSE(MatchIgnorePattern("**/" + stars + "**/b", name + "/c"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace lamina::ir
