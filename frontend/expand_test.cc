#include "frontend/dockerfile/expand.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace lamina::frontend {
namespace {

// A word, its value or the cause of its failure ("!..."). All are expanded
// with: v=value, e= (empty), p=/usr/local/bin, s=a b, f=foo.tar.gz, m=x*y,
// u=äöü, n=one<newline>two, q='q', d=$v, ä=letter.
struct Row {
  const char* word;
  const char* result;
};

Variables TestVariables() {
  Variables variables;
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{
           {"v", "value"},
           {"e", ""},
           {"p", "/usr/local/bin"},
           {"s", "a b"},
           {"f", "foo.tar.gz"},
           {"m", "x*y"},
           {"u", "\xC3\xA4\xC3\xB6\xC3\xBC"},
           {"n", "one\ntwo"},
           {"q", "'q'"},
           {"d", "$v"},
           {"_x1", "under"},
           {"\xC3\xA4", "letter"}}) {
    variables.Set(name, value);
  }
  return variables;
}

constexpr Row kRows[] = {
    // Literals, quotes, escapes.
    {"", ""},
    {"plain", "plain"},
    {"a b", "a b"},
    {"'single'", "single"},
    {"\"double\"", "double"},
    {"a'b'c\"d\"e", "abcde"},
    {"''", ""},
    {"\"\"", ""},
    {"'$v'", "$v"},
    {"'\\'", "\\"},
    {"'a\\nb'", "a\\nb"},
    {"\"$v\"", "value"},
    {"\"'$v'\"", "'value'"},
    {"'\"$v\"'", "\"$v\""},
    {"\\$v", "$v"},
    {"\\\\", "\\"},
    {"\\a", "a"},
    {"a\\", "a"},
    {"\"\\$v\"", "$v"},
    {"\"\\\"\"", "\""},
    {"\"\\\\\"", "\\"},
    {"\"\\n\"", "\\n"},
    {"\\'", "'"},
    {"\\\"", "\""},
    {"'a",
     "!unexpected end of statement while looking for matching "
     "single-quote"},
    {"\"a",
     "!unexpected end of statement while looking for matching "
     "double-quote"},
    {"it's",
     "!unexpected end of statement while looking for matching "
     "single-quote"},
    {"\xC3\xA4", "\xC3\xA4"},
    {"\xFF", "\xEF\xBF\xBD"},
    // Plain variables.
    {"$v", "value"},
    {"${v}", "value"},
    {"$v/x", "value/x"},
    {"$v$v", "valuevalue"},
    {"${v}x", "valuex"},
    {"$vx", ""},
    {"a${v}b", "avalueb"},
    {"$_x1", "under"},
    {"${_x1}", "under"},
    {"$e", ""},
    {"$unset", ""},
    {"${unset}", ""},
    {"$s", "a b"},
    {"$q", "'q'"},
    {"$d", "$v"},
    {"$", "$"},
    {"a$", "a$"},
    {"$/x", "$/x"},
    {"$(ls)", "$(ls)"},
    {"$.", "$."},
    {"$1", ""},
    {"$001", ""},
    {"$1x", "x"},
    {"$@", ""},
    {"$*", ""},
    {"$#", ""},
    {"$?", ""},
    {"$-", ""},
    {"$$", ""},
    {"$!", ""},
    {"$0", ""},
    {"a$@b", "ab"},
    // Defaults.
    {"${v-w}", "value"},
    {"${e-w}", ""},
    {"${unset-w}", "w"},
    {"${v:-w}", "value"},
    {"${e:-w}", "w"},
    {"${unset:-w}", "w"},
    {"${unset:-}", ""},
    {"${unset:-$v}", "value"},
    {"${unset:-${v}x}", "valuex"},
    {"${unset:-${also:-deep}}", "deep"},
    {"${unset:-'a b'}", "a b"},
    {"${unset:-\"$v\"}", "value"},
    {"${unset:-a\\}b}", "a}b"},
    {"${unset:-a b}", "a b"},
    {"\"${unset:-w}\"", "w"},
    {"\"${unset:-'w'}\"", "w"},
    {"${v+w}", "w"},
    {"${e+w}", "w"},
    {"${unset+w}", ""},
    {"${v:+w}", "w"},
    {"${e:+w}", ""},
    {"${unset:+w}", ""},
    {"${v:+$p}", "/usr/local/bin"},
    {"${v?w}", "value"},
    {"${e?w}", ""},
    {"${unset?w}", "!unset: w"},
    {"${unset?}", "!unset: is not allowed to be unset"},
    {"${v:?w}", "value"},
    {"${e:?w}", "!e: w"},
    {"${e:?}", "!e: is not allowed to be empty"},
    {"${unset:?}", "!unset: is not allowed to be unset"},
    {"${unset:?need $v}", "!unset: need value"},
    // Prefixes and suffixes.
    {"${f#*.}", "tar.gz"},
    {"${f##*.}", "gz"},
    {"${f%.*}", "foo.tar"},
    {"${f%%.*}", "foo"},
    {"${p##*/}", "bin"},
    {"${p%/*}", "/usr/local"},
    {"${p#/}", "usr/local/bin"},
    {"${p#x}", "/usr/local/bin"},
    {"${p%x}", "/usr/local/bin"},
    {"${v#?}", "alue"},
    {"${v%?}", "valu"},
    {"${v#v?l}", "ue"},
    {"${v##*}", ""},
    {"${v#*}", "value"},
    {"${v%%*}", ""},
    {"${v#}", "value"},
    {"${v#$v}", ""},
    {"${v#${unset:-va}}", "lue"},
    {"${u#?}", "\xC3\xB6\xC3\xBC"},
    {"${u%?}", "\xC3\xA4\xC3\xB6"},
    {"${m#x\\*}", "y"},
    {"${m%\\*y}", "x"},
    {"${m#x\\?}", "x*y"},
    {"${n#*}", "one\ntwo"},
    {"${n##*}", "\ntwo"},
    {"${n%%*}", "one\n"},
    {"${unset#x}", ""},
    {"${unset%%x}", ""},
    {"${v#\\x}",
     "!invalid pattern (\\x) in substitution: invalid escape "
     "'\\x'"},
    // Replacement.
    {"${v/a/A}", "vAlue"},
    {"${v/x/A}", "value"},
    {"${v/a/}", "vlue"},
    {"${v//a/A}", "vAlue"},
    {"${f/./-}", "foo-tar.gz"},
    {"${f//./-}", "foo-tar-gz"},
    {"${f//o/}", "f.tar.gz"},
    {"${p//\\//-}", "-usr-local-bin"},
    {"${p/\\//-}", "-usr/local/bin"},
    {"${f/o*/X}", "fX"},
    {"${f/t?r/X}", "foo.X.gz"},
    {"${f//[o]/X}", "foo.tar.gz"},
    {"${v//?/x}", "xxxxx"},
    {"${v/l*e/$p}", "va/usr/local/bin"},
    {"${v//a/$q}", "v'q'lue"},
    {"${v//e/\\/}", "valu\\/"},
    {"${unset/a/b}", ""},
    {"${unset//a/b}", ""},
    {"${v//\\y/x}",
     "!invalid pattern (\\y) in substitution: invalid escape "
     "'\\y'"},
    // Modifiers beside text, quotes and each other.
    {"a${v:-w}b", "avalueb"},
    {"a${unset:-w}b", "awb"},
    {"${unset:-w}${e:-x}", "wx"},
    {"\"a ${unset:-w} b\"", "a w b"},
    {"'${unset:-w}'", "${unset:-w}"},
    {"\\${v:-w}", "${v:-w}"},
    {"${unset:-/a/b}", "/a/b"},
    {"${unset:-a:b}", "a:b"},
    {"${unset:--}", "-"},
    {"${unset:-+}", "+"},
    {"${unset:-=}", "="},
    {"${unset:-a=b}", "a=b"},
    {"${unset--}", "-"},
    {"${unset:-$unset}", ""},
    {"${unset:-${unset}}", ""},
    {"${unset:-${e:-${v}}}", "value"},
    {"${v:+${unset:-w}}", "w"},
    {"${v:+${v}/${v}}", "value/value"},
    {"${e:+$v}", ""},
    {"${e+$v}", "value"},
    {"${unset+$v}", ""},
    {"${s:-w}", "a b"},
    {"${s:+'x y'}", "x y"},
    {"${u:-w}", "\xC3\xA4\xC3\xB6\xC3\xBC"},
    {"${_x1:-w}", "under"},
    {"${v:?}", "value"},
    {"${v?}", "value"},
    {"${e?}", ""},
    {"${unset:?a b}", "!unset: a b"},
    {"${e:?${v}}", "!e: value"},
    // Prefixes and suffixes of paths and names.
    {"${p#*/}", "usr/local/bin"},
    {"${p##/*/}", "bin"},
    {"${p%%/*}", ""},
    {"${p%/bin}", "/usr/local"},
    {"${p#/usr}", "/local/bin"},
    {"${f%.gz}", "foo.tar"},
    {"${f%.tar.gz}", "foo"},
    {"${f#foo.}", "tar.gz"},
    {"${f##foo}", ".tar.gz"},
    {"${f%%.tar*}", "foo"},
    {"${v#value}", ""},
    {"${v%value}", ""},
    {"${v#values}", "value"},
    {"${v%ue}", "val"},
    {"${v#v}${v%e}", "aluevalu"},
    {"${e#x}", ""},
    {"${e%x}", ""},
    {"\"${p##*/}\"", "bin"},
    {"x${p##*/}y", "xbiny"},
    {"${s% b}", "a"},
    {"${s#a }", "b"},
    {"${u##*\xC3\xB6}", "\xC3\xBC"},
    // Replacement of the first and of all.
    {"${f/foo/bar}", "bar.tar.gz"},
    {"${f/gz/xz}", "foo.tar.xz"},
    {"${f//./}", "footargz"},
    {"${f//o/00}", "f0000.tar.gz"},
    {"${v/value/}", ""},
    {"${v/e/$e}", "valu"},
    {"${v/v/$unset}", "alue"},
    {"${e/a/b}", ""},
    {"${s/ /_}", "a_b"},
    {"${s// /}", "ab"},
    {"\"${f//./-}\"", "foo-tar-gz"},
    {"x${v/a/A}y", "xvAluey"},
    // Names end where they must.
    {"$v.$v", "value.value"},
    {"$v-$e-$v", "value--value"},
    {"$v:$p", "value:/usr/local/bin"},
    {"$_x1/$v", "under/value"},
    {"${v}_${v}", "value_value"},
    {"$v'$v'\"$v\"", "value$vvalue"},
    {"\"$s\"", "a b"},
    {"\"\\\\$v\"", "\\value"},
    {"'a'$v'b'", "avalueb"},
    {"$v\\ $v", "value value"},
    // Syntax.
    {"${}", "!syntax error: bad substitution"},
    {"${:-x}", "!syntax error: bad substitution"},
    {"${{v}}", "!syntax error: bad substitution"},
    {"${v", "!syntax error: missing '}'"},
    {"${v:-w", "!syntax error: missing '}'"},
    {"${v/a", "!syntax error: missing '/' in ${}"},
    {"${v=w}", "!unsupported modifier (=) in substitution"},
    {"${v:=w}", "!unsupported modifier (:=) in substitution"},
    {"${v^}", "!unsupported modifier (^) in substitution"},
    {"${v:#a}", "!unsupported modifier (:#) in substitution"},
    {"${v:%a}", "!unsupported modifier (:%) in substitution"},
    {"${v:0:1}", "!unsupported modifier (:0) in substitution"},
    {"${#v}", "!unsupported modifier (v) in substitution"},
    {"${!v}", "!unsupported modifier (v) in substitution"},
    {"${.}", "!unsupported modifier (.) in substitution"},
    {"${v@U}", "!unsupported modifier (@) in substitution"},
    {"${v,,}", "!unsupported modifier (,) in substitution"},
    {"${unset:-${v}", "!syntax error: missing '}'"},
    {"${v/a/b", "!syntax error: missing '}'"},
    {"${v//", "!syntax error: missing '/' in ${}"},
    {"${v:-'w}", "!syntax error: missing '}'"},
    {"a${v", "!syntax error: missing '}'"},
    {"\"${v\"", "!unsupported modifier (\") in substitution"},
    {"${unset?\"a b\"}", "!unset: a b"},
    {"${v#a\\}", "!syntax error: missing '}'"},
    // Patterns: the delimiter is escaped, brackets are literal.
    {"${v/}", "!syntax error: missing '/' in ${}"},
    {"${v//x}", "!syntax error: missing '/' in ${}"},
    {"${v/v/}", "alue"},
    {"${v//l/\\/}", "va\\/ue"},
    {"${p//\\//\\/}", "\\/usr\\/local\\/bin"},
    {"${v%[e]}", "value"},
    {"${v#[v]}", "value"},
    {"${m/\\*/+}", "x+y"},
    {"${m/?/+}", "+*y"},
    {"${m//\\*/}", "xy"},
    {"${v//}", "!syntax error: missing '/' in ${}"},
    {"${v/*/x}", "x"},
    {"${v//*/x}", "x"},
    {"${v/x*/y}", "value"},
    {"${v#'va'}", "lue"},
    {"${v%\"ue\"}", "val"},
    {"${v#\\z}",
     "!invalid pattern (\\z) in substitution: invalid escape '\\z'"},
    // An empty pattern matches at the start.
    {"${v//$unset/x}", "xvxaxlxuxex"},
    {"${v/$unset/x}", "xvalue"},
    {"${v/'/'/x}", "value"},
    // The value of a replacement is not looked into.
    {"${v//l/$d}", "va$vue"},
    {"${v/l/'$1'}", "va$1ue"},
    {"${v//l/'$0'}", "va$0ue"},
    // Names of other scripts.
    {"$\xC3\xA4", "letter"},
    {"${\xC3\xA4}x", "letterx"},
    {"$\xC3\xA4-", "letter-"},
    {"$v\xC3\xA4", ""},
    {"$\xE2\x82\xAC", "$\xE2\x82\xAC"},
    // Forms nest in quotes and quotes in forms.
    {"\"${unset:-'a b'}\"", "a b"},
    {"\"${unset:-\"a\"}\"", "a"},
    {"\"x${v#v}y\"", "xaluey"},
    {"${unset:-'$v'}", "$v"},
    {"${unset:-\"$v\"'$v'}", "value$v"},
    {"${unset:-\\$v}", "$v"},
    {"${unset:-\\\\}", "\\"},
    {"\"\\a\\$v\"", "\\a$v"},
    {"${e:-${unset-${v:+deep}}}", "deep"},
    {"${v+}", ""},
    {"${unset-}", ""},
    {"${v:+ }", " "},
};

TEST(ExpandTest, WordsHaveTheValuesOfTheReference) {
  Variables variables = TestVariables();
  static_assert(std::size(kRows) >= 200);
  for (const Row& row : kRows) {
    absl::StatusOr<std::string> value = ExpandWord(row.word, '\\', variables);
    std::string got =
        value.ok() ? *value : absl::StrCat("!", value.status().message());
    std::string want = row.result;
    if (absl::StartsWith(want, "!")) {
      want = absl::StrCat("!failed to process \"", row.word,
                          "\": ", want.substr(1));
    }
    EXPECT_EQ(got, want) << row.word;
  }
}

TEST(ExpandTest, TheEscapeDirectiveGovernsWords) {
  Variables variables = TestVariables();
  EXPECT_EQ(*ExpandWord("c:\\x`$v$v", '`', variables), "c:\\x$vvalue");
}

TEST(ExpandTest, SplittingKeepsQuotedValuesTogether) {
  Variables variables = TestVariables();
  auto split = [&](absl::string_view word) {
    absl::StatusOr<std::vector<std::string>> words =
        ExpandAndSplit(word, '\\', variables);
    return words.ok() ? absl::StrJoin(*words, "|")
                      : std::string(words.status().message());
  };
  EXPECT_EQ(split("$s"), "a|b");
  EXPECT_EQ(split("\"$s\""), "a b");
  EXPECT_EQ(split("x$s"), "xa|b");
  EXPECT_EQ(split("$unset"), "");
  EXPECT_EQ(split("${}"),
            "failed to process \"${}\": syntax error: bad substitution");
}

TEST(ExpandTest, HeredocBodiesKeepQuotesAndLoseBackslashes) {
  Variables variables = TestVariables();
  EXPECT_EQ(
      *ExpandHeredoc("'$v' \"${v}\"\\n\\$v \\\\ $(x) `y` $1\n", variables),
      "'value' \"value\"n$v \\ $(x) `y` \n");
}

}  // namespace
}  // namespace lamina::frontend
