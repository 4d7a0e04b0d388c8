// Compares what the grammar can know with the reference parser's reading of
// real Dockerfiles. They are no part of this project; without them the test
// says so and is skipped.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "grammar/dockerfile_syntax.h"
#include "grammar/test_fingerprint.h"
#include "gtest/gtest.h"

namespace lamina::grammar {
namespace {

constexpr char kFolder[] = "../shared/data/dockerfiles";

std::vector<KeywordShape> Keywords() {
  using enum ArgumentShape;
  return {{"ADD", kJsonOrWords, true},
          {"ARG", kOptionalKeyValues},
          {"CMD", kJsonOrText},
          {"COPY", kJsonOrWords, true},
          {"ENTRYPOINT", kJsonOrText},
          {"ENV", kKeyValues},
          {"EXPOSE", kWords},
          {"FROM", kWords},
          {"HEALTHCHECK", kTypeAndJsonOrText},
          {"LABEL", kKeyValues},
          {"MAINTAINER", kText},
          {"ONBUILD", kInstruction},
          {"RUN", kJsonOrText, true},
          {"SHELL", kJsonOrText},
          {"STOPSIGNAL", kText},
          {"USER", kText},
          {"VOLUME", kJsonOrWords},
          {"WORKDIR", kText}};
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

Json Strings(const std::vector<Word>& words, size_t begin, size_t end) {
  Json list = Json::Array();
  for (size_t i = begin; i < end; ++i) {
    list.Append(words[i].text);
  }
  return list;
}

// The files of RUN, COPY and ADD as the reference describes them.
Json Files(const Statement& statement, bool run) {
  Json files = Json::Array();
  for (const Heredoc& heredoc : statement.heredocs) {
    Json file = Json::Object();
    file.Set("name", heredoc.name);
    file.Set("data", heredoc.body);
    if (run) {
      file.Set("chomp", heredoc.strip_tabs);
    } else {
      file.Set("expand", heredoc.expand);
    }
    files.Append(std::move(file));
  }
  return files;
}

void DescribeCopy(const Statement& statement, Json& out) {
  std::vector<Word> sources;
  for (const Word& word : statement.words) {
    bool marks_heredoc = false;
    for (const Heredoc& heredoc : statement.heredocs) {
      marks_heredoc |= heredoc.range == word.range;
    }
    if (!marks_heredoc) {
      sources.push_back(word);
    }
  }
  if (!sources.empty()) {
    out.Set("destination", sources.back().text);
    out.Set("sources", Strings(sources, 0, sources.size() - 1));
  }
  if (!statement.heredocs.empty()) {
    out.Set("files", Files(statement, false));
  }
}

void DescribePairs(const Statement& statement, absl::string_view key,
                   Json& out) {
  Json pairs = Json::Array();
  for (const KeyValue& pair : statement.pairs) {
    Json both = Json::Array();
    both.Append(pair.key.text);
    both.Append(pair.value.has_value() ? Json(pair.value->text) : Json());
    pairs.Append(std::move(both));
  }
  out.Set(key, std::move(pairs));
}

void DescribeFrom(const Statement& statement, Json& out) {
  const std::vector<Word>& words = statement.words;
  out.Set("image", words.empty() ? "" : words[0].text);
  out.Set("name",
          words.size() == 3 ? absl::AsciiStrToLower(words[2].text) : "");
}

// What the reference says of one instruction, as far as the grammar knows it.
Json Describe(const Statement& statement) {
  Json out = Json::Object();
  const std::string& keyword = statement.keyword;
  out.Set("keyword", keyword);
  out.Set("line", int64_t{statement.line});
  out.Set("end_line", int64_t{statement.end_line});
  if (!statement.flags.empty()) {
    Json flags = Json::Array();
    for (const Flag& flag : statement.flags) {
      flags.Append(flag.written);
    }
    out.Set("flags", std::move(flags));
  }
  if (keyword == "FROM") {
    DescribeFrom(statement, out);
  } else if (keyword == "ARG") {
    DescribePairs(statement, "args", out);
  } else if (keyword == "ENV" || keyword == "LABEL") {
    DescribePairs(statement, "pairs", out);
  } else if (keyword == "RUN" || keyword == "CMD" || keyword == "ENTRYPOINT") {
    out.Set("form", statement.json ? "exec" : "shell");
    out.Set("command", statement.json
                           ? Strings(statement.words, 0, statement.words.size())
                           : Json::Strings({statement.text.text}));
    if (!statement.heredocs.empty()) {
      out.Set("files", Files(statement, true));
    }
  } else if (keyword == "COPY" || keyword == "ADD") {
    DescribeCopy(statement, out);
  } else if (keyword == "EXPOSE") {
    std::vector<Word> sorted = statement.words;
    std::sort(sorted.begin(), sorted.end(),
              [](const Word& a, const Word& b) { return a.text < b.text; });
    out.Set("values", Strings(sorted, 0, sorted.size()));
  } else if (keyword == "VOLUME") {
    out.Set("values", Strings(statement.words, 0, statement.words.size()));
  } else if (keyword == "SHELL") {
    out.Set("command", Strings(statement.words, 0, statement.words.size()));
  } else if (keyword == "HEALTHCHECK") {
    std::vector<std::string> test = {statement.type};
    if (statement.type != "NONE" && !statement.json) {
      test = {"CMD-SHELL", statement.text.text};
    }
    for (const Word& word : statement.words) {
      test.push_back(word.text);
    }
    out.Set("test", Json::Strings(test));
  } else {
    out.Set("value", statement.text.text);
  }
  return out;
}

// The durations of HEALTHCHECK are the front end's reading of its flags.
Json WithoutDurations(const Json& instruction) {
  Json out = Json::Object();
  for (const auto& [key, value] : instruction.object()) {
    if (key != "retries" && !absl::StrContains(key, "_ns")) {
      out.Set(key, value);
    }
  }
  return out;
}

std::string CorpusFolder() {
  return std::filesystem::exists(kFolder) ? kFolder : "";
}

TEST(Corpus, EveryValidFileIsReadAsTheReferenceReadsIt) {
  if (CorpusFolder().empty()) {
    GTEST_SKIP() << kFolder << " is not here";
  }
  std::vector<KeywordShape> keywords = Keywords();
  int compared = 0;
  int refused_only_by_reference = 0;
  for (absl::string_view row : absl::StrSplit(
           ReadAll(absl::StrCat(kFolder, "/expected.jsonl")), '\n')) {
    if (row.empty()) {
      continue;
    }
    auto expected = ParseJson(row);
    ASSERT_TRUE(expected.ok()) << expected.status();
    const std::string& file = (*expected)["file"].string();
    SourceFile source(file, ReadAll(absl::StrCat(kFolder, "/files/", file)));
    Diagnostics diagnostics;
    DockerfileSyntax syntax = ParseDockerfile(source, keywords, diagnostics);
    if (!(*expected)["ok"].boolean()) {
      refused_only_by_reference += diagnostics.has_errors() ? 0 : 1;
      continue;
    }
    ++compared;
    EXPECT_FALSE(diagnostics.has_errors())
        << Render(diagnostics, source, RenderOptions{});
    EXPECT_EQ(std::string(1, syntax.escape), (*expected)["escape"].string())
        << file;
    const Json::List& wanted = (*expected)["instructions"].array();
    ASSERT_EQ(syntax.statements.size(), wanted.size()) << file;
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(PrintJson(Describe(syntax.statements[i])),
                PrintJson(WithoutDurations(wanted[i])))
          << file;
    }
  }
  EXPECT_GT(compared, 600);
  RecordProperty("left_to_the_front_end", refused_only_by_reference);
}

TEST(Corpus, PrintingAndReadingAgainChangesNothing) {
  if (CorpusFolder().empty()) {
    GTEST_SKIP() << kFolder << " is not here";
  }
  std::vector<KeywordShape> keywords = Keywords();
  std::filesystem::path files = absl::StrCat(kFolder, "/files");
  for (const auto& entry : std::filesystem::directory_iterator(files)) {
    std::string name = entry.path().filename().string();
    SourceFile source(name, ReadAll(entry.path()));
    Diagnostics ignored;
    DockerfileSyntax first = ParseDockerfile(source, keywords, ignored);
    if (ignored.has_errors()) {
      continue;
    }
    SourceFile printed(name, PrintDockerfile(first));
    Diagnostics none;
    DockerfileSyntax second = ParseDockerfile(printed, keywords, none);
    EXPECT_FALSE(none.has_errors()) << Render(none, printed, RenderOptions{});
    ASSERT_EQ(first.statements.size(), second.statements.size()) << name;
    EXPECT_EQ(first.escape, second.escape);
    for (size_t i = 0; i < first.statements.size(); ++i) {
      EXPECT_EQ(Fingerprint(first.statements[i]),
                Fingerprint(second.statements[i]))
          << name;
    }
  }
}

}  // namespace
}  // namespace lamina::grammar
