#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "grammar/dockerfile_syntax.h"
#include "grammar/word_syntax.h"
#include "gtest/gtest.h"

namespace lamina::grammar {
namespace {

// One of each shape.
std::vector<KeywordShape> Keywords() {
  using enum ArgumentShape;
  return {{"FROM", kWords},
          {"RUN", kJsonOrText, true},
          {"COPY", kJsonOrWords, true},
          {"ENV", kKeyValues},
          {"ARG", kOptionalKeyValues},
          {"USER", kText},
          {"ONBUILD", kInstruction},
          {"HEALTHCHECK", kTypeAndJsonOrText}};
}

// A file, what was read from it and what was wrong with it, one line each:
// "line:column-line:column message".
struct Reading {
  explicit Reading(std::string text) : source("Dockerfile", std::move(text)) {
    Diagnostics diagnostics;
    syntax = ParseDockerfile(source, Keywords(), diagnostics);
    diagnostics.Sort();
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      SourceRange range = diagnostic.range.value_or(SourceRange{});
      absl::StrAppend(&errors, At(range.begin), "-", At(range.end), " ",
                      diagnostic.message, "\n");
    }
  }
  std::string At(uint32_t offset) const {
    SourcePosition position = source.Position(offset);
    return absl::StrCat(position.line, ":", position.column);
  }
  std::string Texts() const {
    return absl::StrJoin(syntax.statements, "|",
                         [](std::string* out, const Statement& statement) {
                           absl::StrAppend(out, statement.keyword, " ",
                                           statement.text.text);
                         });
  }
  const Statement& first() const { return syntax.statements.at(0); }

  SourceFile source;
  DockerfileSyntax syntax;
  std::string errors;
};

std::string Words(const std::vector<Word>& words) {
  return absl::StrJoin(words, "|", [](std::string* out, const Word& word) {
    out->append(word.text);
  });
}

struct TextCase {
  std::string input;
  std::string expected;
};

TEST(Lines, AreJoinedAsTheReferenceJoinsThem) {
  const TextCase cases[] = {
      {"RUN a \\\n  b\n", "RUN a   b"},
      {"RUN a\\\r\n b\r\n", "RUN a b"},
      {"RUN a \\ \t\nb", "RUN a b"},
      {"RUN a \\\\\nRUN b", "RUN a \\\\|RUN b"},
      {"RUN a \\\\\\\nRUN b", "RUN a \\\\\\|RUN b"},
      {"RUN a \\\nRUN b", "RUN a RUN b"},
      {"RUN a \\\n# note \\\nb", "RUN a b"},
      {"RUN a \\\n\n  \nb", "RUN a b"},
      {"RUN a \\", "RUN a"},
      {"RUN a \\\n \\\nb", "RUN a  b"},
      {"RUN a # b", "RUN a # b"},
      {"  \t RUN a", "RUN a"},
      {"# RUN a \\\nRUN b", "RUN b"},
      {"\xEF\xBB\xBFRUN a", "RUN a"},
      {"RUN a\rb", "RUN a\rb"},
      {std::string("RUN a\0b", 7), std::string("RUN a\0b", 7)},
      {"run\ta", "RUN a"},
      {"RUN", "RUN "},
      {"\\\nRUN a", "RUN a"},
      {"\\\n  RUN a", "RUN a"},
  };
  for (const TextCase& test : cases) {
    Reading reading(test.input);
    EXPECT_EQ(reading.Texts(), test.expected) << test.input;
    EXPECT_EQ(reading.errors, "") << test.input;
  }
}

TEST(Lines, KeepThePlaceOfEveryWordAcrossContinuations) {
  Reading reading("FROM a\nCOPY --chown=x \\\n# note\n  src\\\nrc /dst \n");
  const Statement& copy = reading.syntax.statements.at(1);
  EXPECT_EQ(copy.line, 2u);
  EXPECT_EQ(copy.end_line, 5u);
  EXPECT_EQ(Words(copy.words), "srcrc|/dst");
  EXPECT_EQ(reading.At(copy.words[0].range.begin), "4:3");
  EXPECT_EQ(reading.At(copy.words[0].range.end), "5:3");
  EXPECT_EQ(reading.source.Slice(copy.words[1].range), "/dst");
  EXPECT_EQ(reading.source.Slice(copy.flags[0].value_range), "x");
  EXPECT_EQ(reading.source.Slice(copy.keyword_word.range), "COPY");
}

TEST(Lines, CommentsAreClearedByABareHashAndByAnInstructionOnly) {
  Reading reading("# x\n\n#\n# a one\n\n#b\nUSER u\nUSER v\n");
  EXPECT_EQ(Words(reading.first().comments), "a one|b");
  EXPECT_TRUE(reading.syntax.statements.at(1).comments.empty());
}

TEST(Lines, BlankLinesInAContinuationAreRemembered) {
  Reading reading("RUN a \\\n\nb\nUSER u\n");
  EXPECT_EQ(reading.first().empty_lines.size(), 1u);
  EXPECT_TRUE(reading.syntax.statements.at(1).empty_lines.empty());
}

TEST(Lines, FormErrorsNameThePlaceAndAllAreReported) {
  std::string long_line(65536, 'x');
  std::string just_fits(65531, 'x');
  const TextCase cases[] = {
      {"", "1:1-1:1 the Dockerfile cannot be empty; begin it with FROM\n"},
      {"# a\n\n", "1:1-1:1 file with no instructions; begin it with FROM\n"},
      {"FRM a\nFOOBAR b\n",
       "1:1-1:4 unknown instruction: FRM; did you mean `FROM`?\n"
       "2:1-2:7 unknown instruction: FOOBAR; if it belongs to the line "
       "above, end that one with `\\`\n"},
      {"rnu a\n", "1:1-1:4 unknown instruction: rnu; did you mean `run`?\n"},
      {"ENV a\nENV\nENV a=b c\nENV =x\nENV \"\"=x\nARG =x\nARG\n",
       "1:5-1:6 ENV must have two arguments; write `ENV a=VALUE`\n"
       "2:1-2:4 ENV requires at least one argument; write `ENV NAME=VALUE`\n"
       "3:9-3:10 Syntax error - can't find = in \"c\". Must be of the form: "
       "name=value; put a value with blanks in double quotes\n"
       "4:5-4:5 ENV names can not be blank; write a name before `=`\n"
       "5:5-5:7 ENV names can not be blank; write a name before `=`\n"
       "6:5-6:5 ARG names can not be blank; write a name before `=`\n"
       "7:1-7:4 ARG requires at least one argument; write `ARG NAME=VALUE`\n"},
      {"\\", "1:1-1:1 unknown instruction: \n"},
      {"RUN [\"a\", 1]\n",
       "1:11-1:12 when using JSON array syntax, arrays must be comprised of "
       "strings only; put this element in double quotes\n"},
      {"RUN cat <<E\nbody\n",
       "1:9-1:12 unterminated heredoc; no line is `E`\n"},
      {"RUN " + long_line + "\n",
       "1:65536-1:65537 dockerfile line greater than max allowed size of "
       "65535; break it into several lines\n"},
      {"RUN " + just_fits + "\n", ""},
      {"RUN <<E\n" + long_line + "\nE\n",
       "2:65536-2:65537 dockerfile line greater than max allowed size of "
       "65535; break it into several lines\n"},
      {"# escape=`\n# escape=`\nUSER a\n",
       "2:10-2:11 only one escape parser directive can be used; remove this "
       "one\n"},
      {"# escape=x\nUSER a\n",
       "1:10-1:11 invalid escape token 'x' does not match ` or \\; write one "
       "of "
       "the two\n"},
  };
  for (const TextCase& test : cases) {
    EXPECT_EQ(Reading(test.input).errors, test.expected)
        << test.input.substr(0, 60);
  }
}

std::string Directives(const DockerfileSyntax& syntax) {
  auto show = [](const std::optional<Word>& word) {
    return word.has_value() ? word->text : "-";
  };
  return absl::StrCat(std::string(1, syntax.escape), " ",
                      show(syntax.syntax_directive), " ",
                      show(syntax.check_directive));
}

TEST(Directives, StandAtTheTopAndEndWithTheFirstOtherLine) {
  const TextCase cases[] = {
      {"# escape=`\nUSER a", "` - -"},
      {"#EsCape = `\r\nUSER a", "` - -"},
      {"# syntax=docker/dockerfile:1 x\n# check=skip=all\n# escape=`\nUSER a",
       "` docker/dockerfile:1 x skip=all"},
      {"# note\n# escape=`\nUSER a", "\\ - -"},
      {"\n# escape=`\nUSER a", "\\ - -"},
      {"# key=x\n# escape=`\nUSER a", "\\ - -"},
      {"# escape=\nUSER a", "\\ - -"},
      {"#!/bin/x\n# syntax=s\n# escape=`\nUSER a", "\\ s -"},
      {"\xEF\xBB\xBF# escape=`\nUSER a", "` - -"},
      {"# escape=\\\nUSER a", "\\ - -"},
  };
  for (const TextCase& test : cases) {
    EXPECT_EQ(Directives(Reading(test.input).syntax), test.expected)
        << test.input;
  }
}

TEST(Directives, TheEscapeGovernsContinuationsFlagsAndWords) {
  Reading reading(
      "# escape=`\nRUN dir c:\\ `\n /b\nCOPY --a=x`\ty\\ c:\\ d\n"
      "ENV a=x` y b=\\\n");
  EXPECT_EQ(reading.Texts(), "RUN dir c:\\  /b|COPY c:\\ d|ENV a=x` y b=\\");
  EXPECT_EQ(reading.syntax.statements.at(1).flags.at(0).written, "--a=x\ty\\");
  EXPECT_EQ(reading.syntax.statements.at(2).pairs.at(1).value->text, "\\");
}

TEST(Flags, AreWordsWithoutTheirQuotes) {
  const TextCase cases[] = {
      {"RUN --a=b --c x", "--a=b|--c => x"},
      {"RUN --a='b c' x", "--a=b c => x"},
      {"RUN --a=\"b\\\"c\" x", "--a=b\"c => x"},
      {"RUN --a='b\\'c' x", "--a=b'c => x"},
      {"RUN --a=b\\ c x", "--a=b c => x"},
      {"RUN --a='b c", "--a=b c => "},
      {"RUN --a='b' 'c' x", "--a=b => 'c' x"},
      {"RUN -- --x", " => --x"},
      {"RUN --a -- --x", "--a => --x"},
      {"RUN -x --a", " => -x --a"},
      {"RUN --a=\xC3\xA9 x", "--a=\xC3\xA9 => x"},
      {"RUN --a='b ' ", "--a=b  => "},
      {"RUN \\ --a", " => \\ --a"},
  };
  for (const TextCase& test : cases) {
    Reading reading(test.input + "\v");
    std::string flags = absl::StrJoin(
        reading.first().flags, "|",
        [](std::string* out, const Flag& flag) { out->append(flag.written); });
    EXPECT_EQ(absl::StrCat(flags, " => ", reading.first().text.text),
              test.expected)
        << test.input;
  }
}

TEST(Json, FallsBackToTheOtherFormWhenAnythingIsWrong) {
  const TextCase cases[] = {
      {"RUN [\"a\", \"b c\"]", "json a|b c"},
      {"RUN  [ ] ", "json "},
      {"RUN [\"a\\u00e9\\ud83d\\ude00\\n\"]",
       "json a\xC3\xA9\xF0\x9F\x98\x80\n"},
      {"RUN [\"\\ud800x\"]", "json \xEF\xBF\xBDx"},
      {"RUN [\"a\xFF\"]", "json a\xEF\xBF\xBD"},
      {"RUN [\"a\\/b\"]", "json a/b"},
      {"RUN [\"a\", 'b']", ""},
      {"RUN [\"a\",]", ""},
      {"RUN [\"a\"] x", ""},
      {"RUN [\"a\"", ""},
      {"RUN [\"c:\\windows\"]", ""},
      {"RUN [ -f x ]", ""},
      {"RUN [\"a\tb\"]", ""},
      {"RUN {\"a\": 1}", ""},
      {"RUN [01]", ""},
      {"RUN \"a\"", ""},
      {"COPY [\"a b\", \"c\"]", "json a b|c"},
      {"COPY [\"a b\" \"c\"]", "[\"a|b\"|\"c\"]"},
  };
  for (const TextCase& test : cases) {
    Reading reading(test.input);
    EXPECT_EQ(absl::StrCat(reading.first().json ? "json " : "",
                           Words(reading.first().words)),
              test.expected)
        << test.input;
    EXPECT_EQ(reading.errors, "");
  }
}

TEST(Json, HasItsOwnEscapesWhateverTheDirectiveSays) {
  Reading reading("# escape=`\nRUN [\"a\\\\b\", \"c`\"]\n");
  EXPECT_EQ(Words(reading.first().words), "a\\b|c`");
}

TEST(Json, NestingDoesNotExhaustTheStack) {
  std::string deep(60000, '[');
  EXPECT_FALSE(Reading("RUN " + deep + "\n").first().json);
  EXPECT_EQ(Reading("RUN [[[\"a\"]]]\n").errors.find("1:6-"), 0u);
}

std::string Pairs(const Statement& statement) {
  return absl::StrJoin(
      statement.pairs, "|", [](std::string* out, const KeyValue& pair) {
        absl::StrAppend(out, pair.key.text, pair.value ? "=>" : "",
                        pair.value ? pair.value->text : "");
      });
}

TEST(Pairs, AreQuoteAwareWordsOrOneLegacyPair) {
  const TextCase cases[] = {
      {"ENV a=b c=d", "a=>b|c=>d"},
      {"ENV a='b c' d=\"e \\\" f\"", "a=>'b c'|d=>\"e \\\" f\""},
      {"ENV a=b\\ c", "a=>b\\ c"},
      {"ENV a='b\\' c=d", "a=>'b\\'|c=>d"},
      {"ENV a=\"b c", "a=>\"b c"},
      {"ENV a='b c", "a=>'b c"},
      {"ENV a=b=c", "a=>b=c"},
      {"ENV \"a=b\" c=d", "\"a=>b\"|c=>d"},
      {"ENV a=b\xC2\xA0 c=d", "a=>b|c=>d"},
      {"ENV a=b\xC3\xA9 c=d", "a=>b\xC3\xA9|c=>d"},
      {"ENV a b  c", "a=>b  c"},
      {"ENV ONE TWO= THREE=x", "ONE=>TWO= THREE=x"},
      {"ENV a=", "a=>"},
      {"ARG a", "a"},
      {"ARG a b=c", "a|b=>c"},
  };
  for (const TextCase& test : cases) {
    Reading reading(test.input);
    EXPECT_EQ(Pairs(reading.first()), test.expected) << test.input;
    EXPECT_EQ(reading.errors, "") << test.input;
  }
  EXPECT_TRUE(Reading("ENV a b").first().legacy_pair);
  EXPECT_FALSE(Reading("ENV a=b").first().legacy_pair);
}

std::string Heredocs(const Statement& statement) {
  return absl::StrJoin(
      statement.heredocs, "|", [](std::string* out, const Heredoc& heredoc) {
        absl::StrAppend(out, heredoc.name, heredoc.expand ? "" : " quoted",
                        heredoc.strip_tabs ? " tabs" : "", ":", heredoc.body);
      });
}

TEST(Heredocs, AreFoundAsTheReferenceFindsThem) {
  const TextCase cases[] = {
      {"RUN <<EOF\na\nEOF", "EOF:a\n"},
      {"RUN << EOF\na\nEOF", "EOF:a\n"},
      {"RUN <<-EOF\n\ta\n\tEOF", "EOF tabs:\ta\n"},
      {"RUN 3<<EOF\na\nEOF", "EOF:a\n"},
      {"RUN <<A cat <<B\na\nA\nb\nB", "A:a\n|B:b\n"},
      {"RUN <<'E'\n$x\nE", "E quoted:$x\n"},
      {"RUN <<e'o'f\na\neof", "eof quoted:a\n"},
      {"RUN <<eo\\'f\na\neo'f", "eo'f:a\n"},
      {"RUN <<'one two'\na\none two", "one two quoted:a\n"},
      {"RUN <<$EOF\na\n$EOF", "$EOF:a\n"},
      {"RUN <<EOF\r\na\r\nEOF\r\n", "EOF:a\r\n"},
      {"RUN <<EOF\n# a \\\nEOF", "EOF:# a \\\n"},
      {"RUN <<EOF\nEOF", "EOF:"},
      {"RUN <<EOF>f\na\nEOF>f", "EOF>f:a\n"},
      {"RUN echo $((1 << 3))\na\n3))", "3)):a\n"},
      {"COPY <<a <<b /x\n1\na\n2\nb", "a:1\n|b:2\n"},
      {"ONBUILD RUN <<E\na\nE", "E:a\n"},
      {"RUN cat \\\n <<E\na\nE", "E:a\n"},
      {"RUN <<<EOF", ""},
      {"RUN <<- EOF", ""},
      {"RUN a<<EOF", ""},
      {"RUN \"<<EOF\"", ""},
      {"RUN \\<<EOF", ""},
      {"RUN ' <<EOF", ""},
      {"RUN <<EOF ${x^^}", ""},
      {"RUN <<EOF ${#x}", ""},
      {"RUN [\"<<EOF\"]", ""},
      {"COPY [\"<<E\", \"/x\"]", ""},
      {"USER <<EOF", ""},
      {"ENV a=<<EOF", ""},
      {"ONBUILD USER <<EOF", ""},
  };
  for (const TextCase& test : cases) {
    Reading reading(test.input);
    EXPECT_EQ(reading.errors, "") << test.input;
    ASSERT_EQ(reading.syntax.statements.size(), 1u) << test.input;
    EXPECT_EQ(Heredocs(reading.first()), test.expected) << test.input;
  }
}

TEST(Heredocs, BelongToTheirStatement) {
  Reading reading("RUN <<E cat\na\nE\nUSER u\n");
  EXPECT_EQ(reading.first().end_line, 3u);
  EXPECT_EQ(reading.At(reading.first().range.end), "3:2");
  EXPECT_EQ(reading.source.Slice(reading.first().heredocs[0].range), "<<E");
  EXPECT_EQ(reading.syntax.statements.at(1).line, 4u);
}

TEST(Onbuild, HoldsAStatementThatIsJudgedLater) {
  Reading reading("ONBUILD COPY --a=b x y\nONBUILD foo x\nONBUILD\n");
  EXPECT_EQ(reading.errors, "");
  const Statement& copy = reading.first().inner.at(0);
  EXPECT_EQ(copy.keyword, "COPY");
  EXPECT_EQ(copy.flags.at(0).name, "a");
  EXPECT_EQ(Words(copy.words), "x|y");
  EXPECT_EQ(reading.source.Slice(copy.words[0].range), "x");
  EXPECT_EQ(reading.syntax.statements.at(1).inner.at(0).keyword, "FOO");
  EXPECT_TRUE(reading.syntax.statements.at(2).inner.empty());
}

TEST(Healthcheck, HasATypeAndTextOrJson) {
  Reading text("HEALTHCHECK --interval=1s cmd  a b");
  EXPECT_EQ(text.first().type, "CMD");
  EXPECT_EQ(text.first().text.text, "a b");
  Reading json("HEALTHCHECK CMD [\"a\"]");
  EXPECT_EQ(Words(json.first().words), "a");
  EXPECT_TRUE(json.first().json);
}

// A word's parts: literals as they are, quoted ones in <>, variables as
// {name modifier(argument)(replacement)}.
std::string Show(const std::vector<WordPart>& parts) {
  std::string out;
  for (const WordPart& part : parts) {
    std::string shown = part.text;
    if (part.kind == WordPart::Kind::kVariable) {
      bool replaces = !part.modifier.empty() && part.modifier[0] == '/';
      shown = absl::StrCat("{", part.text);
      if (!part.modifier.empty()) {
        absl::StrAppend(&shown, " ", part.modifier, "(", Show(part.argument),
                        ")", replaces ? "(" : "",
                        replaces ? Show(part.replacement) : "",
                        replaces ? ")" : "");
      }
      shown += "}";
    }
    absl::StrAppend(&out, part.quoted ? "<" : "", shown,
                    part.quoted ? ">" : "");
  }
  return out;
}

std::string ShowWord(absl::string_view word, const WordOptions& options) {
  auto parts = ParseWord(word, options);
  return parts.ok() ? Show(*parts)
                    : absl::StrCat("! ", parts.status().message());
}

TEST(Word, IsCutIntoParts) {
  const TextCase cases[] = {
      {"abc", "abc"},
      {"", ""},
      {"a$b-c", "a{b}-c"},
      {"$a_1$2b$@", "{a_1}{2}b{@}"},
      {"$\xC3\xA9x y", "{\xC3\xA9x} y"},
      {"$a\xE2\x80\x94", "{a}\xE2\x80\x94"},
      {"$\xD9\xA3x", "{\xD9\xA3}x"},
      {"a$ $", "a$ $"},
      {"$%", "$%"},
      {"${a}b", "{a}b"},
      {"${a:-b}", "{a :-(b)}"},
      {"${a:+b}${a?c}", "{a :+(b)}{a ?(c)}"},
      {"${a:-${b:-c}d}", "{a :-({b :-(c)}d)}"},
      {"${a:-'}'}", "{a :-(<}>)}"},
      {"${a:-{}}", "{a :-({)}}"},
      {"${a:-\"x y\"}", "{a :-(<x y>)}"},
      {"${a##b*}${a%c}", "{a ##(b*)}{a %(c)}"},
      {"${a/b/c}${a//b/c}", "{a /(b)(c)}{a //(b)(c)}"},
      {"${a//\\//\\/}", "{a //(\\/)(\\/)}"},
      {"${a#\\*b}", "{a #(\\*b)}"},
      {"${a:-\\*b}", "{a :-(*b)}"},
      {"${a/$b/${c}}", "{a /({b})({c})}"},
      {"${+x}", "{ +(x)}"},
      {"'a$b\\'c", "<a$b\\>c"},
      {"\"a$b\\\"\\c\\$\"", "<a><{b}><\"\\c$>"},
      {"\"\"", "<>"},
      {"\\$a\\", "$a"},
      {"a\xFF", "a\xEF\xBF\xBD"},
      {"a/b}c", "a/b}c"},
  };
  for (const TextCase& test : cases) {
    EXPECT_EQ(ShowWord(test.input, {}), test.expected) << test.input;
  }
}

TEST(Word, ErrorsHaveTheWordsOfTheReference) {
  const std::string kBrace = "! syntax error: missing '}'";
  const TextCase cases[] = {
      {"${}", "! syntax error: bad substitution"},
      {"${:-x}", "! syntax error: bad substitution"},
      {"${{x}", "! syntax error: bad substitution"},
      {"${", kBrace},
      {"${a", kBrace},
      {"${a:-b", kBrace},
      {"${a:-'b", kBrace},
      {"${a:-${b}", kBrace},
      {"${a/b", "! syntax error: missing '/' in ${}"},
      {"${a/b/c", kBrace},
      {"${a=b}", "! unsupported modifier (=) in substitution"},
      {"${a:=b}", "! unsupported modifier (:=) in substitution"},
      {"${a:#b}", "! unsupported modifier (:#) in substitution"},
      {"${a:0:1}", "! unsupported modifier (:0) in substitution"},
      {"${a:0", kBrace},
      {"${a^^}", "! unsupported modifier (^) in substitution"},
      {"${#a}", "! unsupported modifier (a) in substitution"},
      {"${.}", "! unsupported modifier (.) in substitution"},
      {"${a:-${b^}}", "! unsupported modifier (^) in substitution"},
      {"'a",
       "! unexpected end of statement while looking for matching "
       "single-quote"},
      {"\"a",
       "! unexpected end of statement while looking for matching "
       "double-quote"},
  };
  for (const TextCase& test : cases) {
    EXPECT_EQ(ShowWord(test.input, {}), test.expected) << test.input;
  }
}

TEST(Word, FollowsItsOptions) {
  WordOptions backquote = {.escape = '`'};
  EXPECT_EQ(ShowWord("c:\\x`$y", backquote), "c:\\x$y");
  EXPECT_EQ(ShowWord("${a#`*\\}", backquote), "{a #(`*\\)}");
  WordOptions no_quotes = {.quotes = false};
  EXPECT_EQ(ShowWord("it's \"$a\" \\n", no_quotes), "it's \"{a}\" n");
}

TEST(Word, NestingDoesNotExhaustTheStack) {
  std::string deep;
  for (int i = 0; i < 20000; ++i) {
    deep += "${a:-";
  }
  EXPECT_EQ(ShowWord(deep, {}), "! substitutions nested too deeply");
}

TEST(Print, IsReadBackAsTheSame) {
  const std::string inputs[] = {
      "# escape=`\n\n# escape=x\nFROM a\nRUN `` b\n",
      "# syntax=s\n# check=skip=all\nFROM a\n",
      "RUN -- --x\n",
      "RUN --a='b '\nRUN --\"\" x\n",
      "RUN --a='b c' --d=\"e\\\\f\" g\n",
      "RUN a\\ \\\n",
      "RUN <<A <<-'B C'\na\nA\n\tb\n\tB C\nUSER x\n",
      "ONBUILD COPY <<E /x\n1\nE\n",
      "HEALTHCHECK --a=b CMD [\"x\"]\nHEALTHCHECK none\n",
      "ENV a b  c\nENV a='x y' \\\n  b=c\nARG a b=c\n",
      "RUN " + std::string(60000, 'x') + "\\\n" + std::string(60000, 'y'),
  };
  for (const std::string& input : inputs) {
    Reading first(input);
    ASSERT_EQ(first.errors, "") << input.substr(0, 80);
    std::string printed = PrintDockerfile(first.syntax);
    Reading second(printed);
    EXPECT_EQ(second.errors, "") << printed.substr(0, 80);
    EXPECT_EQ(first.Texts(), second.Texts());
    EXPECT_EQ(Directives(first.syntax), Directives(second.syntax));
    ASSERT_EQ(first.syntax.statements.size(), second.syntax.statements.size());
    for (size_t i = 0; i < first.syntax.statements.size(); ++i) {
      const Statement& a = first.syntax.statements[i];
      const Statement& b = second.syntax.statements[i];
      EXPECT_EQ(Heredocs(a), Heredocs(b));
      EXPECT_EQ(Pairs(a), Pairs(b));
      EXPECT_EQ(Words(a.words), Words(b.words));
      EXPECT_EQ(Words(a.comments), Words(b.comments));
      EXPECT_EQ(a.type, b.type);
      ASSERT_EQ(a.flags.size(), b.flags.size());
      for (size_t j = 0; j < a.flags.size(); ++j) {
        EXPECT_EQ(a.flags[j].written, b.flags[j].written);
      }
    }
    EXPECT_EQ(PrintDockerfile(second.syntax), printed);
  }
}

}  // namespace
}  // namespace lamina::grammar
