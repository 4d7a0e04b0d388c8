// Compares the rules with the verdicts of BuildKit's build checks.
#include "lint/lint.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/json.h"
#include "lint/settings.h"

namespace lamina::lint {
namespace {

constexpr char kCases[] = "../shared/data/lint/buildkit_cases.jsonl";
constexpr char kFiles[] = "../shared/data/dockerfiles";

struct Linted {
  SourceFile source;
  Diagnostics diagnostics;
};

Linted Lint(const std::string& text, const std::string& ignore_file,
            const frontend::BuildOptions& options) {
  Linted linted = {SourceFile("Dockerfile", text), {}};
  Diagnostics& diagnostics = linted.diagnostics;
  ir::IgnoreMatcher ignores = ir::IgnoreMatcher::ParseFile(
      SourceFile(".dockerignore", ignore_file), diagnostics);
  grammar::DockerfileSyntax syntax = grammar::ParseDockerfile(
      linted.source, frontend::DockerfileKeywords(), diagnostics);
  frontend::Evaluation evaluation;
  frontend::LowerDockerfile(syntax, linted.source, options, {}, diagnostics,
                            &evaluation);
  RunRules({linted.source, syntax, evaluation, options, ignores}, diagnostics);
  diagnostics.Sort();
  return linted;
}

bool IsRule(absl::string_view code) {
  for (const Rule* rule : AllRules()) {
    if (rule->name == code) {
      return true;
    }
  }
  return false;
}

// "Rule:line:detail" of each warning, sorted.
std::vector<std::string> Found(const Linted& linted) {
  std::vector<std::string> found;
  for (const Diagnostic& diagnostic : linted.diagnostics.all()) {
    if (IsRule(diagnostic.code)) {
      found.push_back(absl::StrCat(
          diagnostic.code, ":",
          linted.source.Position(diagnostic.range->begin).line, ":",
          diagnostic.message.substr(0, diagnostic.message.find("; "))));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> Wanted(const Json& warnings) {
  std::vector<std::string> wanted;
  for (const Json& warning : warnings.array()) {
    wanted.push_back(absl::StrCat(warning["rule"].string(), ":",
                                  warning["line"].integer(), ":",
                                  warning["detail"].string()));
  }
  std::sort(wanted.begin(), wanted.end());
  return wanted;
}

int ErrorLine(const Linted& linted) {
  for (const Diagnostic& diagnostic : linted.diagnostics.all()) {
    if (diagnostic.severity == Severity::kError &&
        diagnostic.range.has_value()) {
      return linted.source.Position(diagnostic.range->begin).line;
    }
  }
  return 0;
}

// What checking says of every stage, and building of the reached ones.
void Compare(const Json& test) {
  frontend::BuildOptions options;
  for (const auto& [name, value] : test["attrs"].object()) {
    options.build_args[std::string(absl::StripPrefix(name, "build-arg:"))] =
        value.string();
  }
  const std::string& text = test["dockerfile"].string();
  const std::string& ignores = test["dockerignore"].string();
  for (bool every_stage : {true, false}) {
    options.every_stage = every_stage;
    Linted linted = Lint(text, ignores, options);
    bool own = !every_stage && !test["warnings_build"].is_null();
    EXPECT_EQ(Found(linted), Wanted(test[own ? "warnings_build" : "warnings"]));
    EXPECT_EQ(ErrorLine(linted), test["build_error"].is_null()
                                     ? 0
                                     : test["build_error_line"].integer());
    const std::string& error = test["build_error"].string();
    if (absl::StartsWith(error, "lint violation")) {
      const Diagnostic& last = linted.diagnostics.all()[0];
      bool same = false;
      for (const Diagnostic& diagnostic : linted.diagnostics.all()) {
        same = same || absl::StartsWith(diagnostic.message, error);
      }
      EXPECT_TRUE(same) << last.message;
    }
  }
}

TEST(LintTest, VerdictsAreThoseOfBuildKit) {
  std::ifstream cases(kCases);
  if (!cases) {
    GTEST_SKIP() << "no verdicts in " << kCases;
  }
  int compared = 0;
  std::string line;
  while (std::getline(cases, line)) {
    absl::StatusOr<Json> test = ParseJson(line);
    ASSERT_TRUE(test.ok()) << test.status();
    SCOPED_TRACE((*test)["title"].string());
    Compare(*test);
    ++compared;
  }
  EXPECT_EQ(compared, 51);
  std::cout << compared << " files compared\n";
}

TEST(LintTest, RealFilesAreLintedWithoutAFall) {
  std::string folder = kFiles;
  std::ifstream expected(folder + "/expected.jsonl");
  if (!expected) {
    GTEST_SKIP() << "no collection of Dockerfiles in " << folder;
  }
  frontend::BuildOptions options;
  options.every_stage = true;
  options.build_args["BUILDKIT_DOCKERFILE_CHECK"] = "experimental=all";
  size_t findings = 0;
  std::string line;
  while (std::getline(expected, line)) {
    std::string name = (*ParseJson(line))["file"].string();
    SCOPED_TRACE(name);
    std::string text = *ReadFile(folder + "/files/" + name);
    Linted linted = Lint(text, "", options);
    for (const Diagnostic& diagnostic : linted.diagnostics.all()) {
      if (IsRule(diagnostic.code)) {
        ASSERT_TRUE(diagnostic.range.has_value());
        EXPECT_LE(diagnostic.range->begin, diagnostic.range->end);
        EXPECT_LE(diagnostic.range->end, text.size());
        ++findings;
      }
    }
  }
  EXPECT_GT(findings, 736u);
  std::cout << findings << " findings\n";
}

// The text with the fixes of all findings of `rule`.
std::string Fixed(const std::string& text, absl::string_view rule) {
  Linted linted = Lint(text, "", {});
  std::vector<Edit> edits;
  for (const Diagnostic& diagnostic : linted.diagnostics.all()) {
    if (diagnostic.code == rule && diagnostic.fix.has_value()) {
      edits.insert(edits.end(), diagnostic.fix->edits.begin(),
                   diagnostic.fix->edits.end());
    }
  }
  std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) {
    return a.range.begin > b.range.begin;
  });
  std::string fixed = text;
  for (const Edit& edit : edits) {
    fixed.replace(edit.range.begin, edit.range.end - edit.range.begin,
                  edit.text);
  }
  return fixed;
}

TEST(LintTest, FixesRemoveWhatTheyFix) {
  struct Row {
    const char* rule;
    const char* text;
    const char* fixed;
  };
  const Row rows[] = {
      {"StageNameCasing", "FROM scratch AS One\n", "FROM scratch AS one\n"},
      {"FromAsCasing", "from scratch AS one\n", "from scratch as one\n"},
      {"NoEmptyContinuation", "FROM scratch\nLABEL a=1 \\\n\n  \t\n  b=2\n",
       "FROM scratch\nLABEL a=1 \\\n  b=2\n"},
      {"ConsistentInstructionCasing", "FROM scratch\nlabel a=1\nLabel b=2\n",
       "FROM scratch\nLABEL a=1\nLABEL b=2\n"},
      {"MaintainerDeprecated", "FROM scratch\nMAINTAINER Me <me@example.org>\n",
       "FROM scratch\nLABEL org.opencontainers.image.authors=\"Me "
       "<me@example.org>\"\n"},
      {"LegacyKeyValueFormat", "FROM scratch\nENV A b c\nLABEL d e\n",
       "FROM scratch\nENV A=\"b c\"\nLABEL d=e\n"},
      {"RedundantTargetPlatform",
       "FROM --platform=$TARGETPLATFORM  scratch AS a\n",
       "FROM scratch AS a\n"},
      {"ExposeProtoCasing", "FROM scratch\nEXPOSE 80/TCP 81/udp\n",
       "FROM scratch\nEXPOSE 80/tcp 81/udp\n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(Fixed(row.text, row.rule), row.fixed);
    EXPECT_EQ(Fixed(row.fixed, row.rule), row.fixed);
    for (const std::string& found : Found(Lint(row.fixed, "", {}))) {
      EXPECT_FALSE(absl::StartsWith(found, row.rule)) << found;
    }
  }
}

TEST(LintTest, NoFixWhereTheOtherFormMeansSomethingElse) {
  for (const char* text : {"FROM scratch\nENV A b\"c\n",
                           "FROM scratch\nMAINTAINER a\"b $c\n",
                           "FROM scratch\nARG P=80/TCP\nEXPOSE $P\n"}) {
    Linted linted = Lint(text, "", {});
    ASSERT_FALSE(Found(linted).empty()) << text;
    for (const Diagnostic& diagnostic : linted.diagnostics.all()) {
      EXPECT_FALSE(diagnostic.fix.has_value()) << text;
    }
  }
}

}  // namespace
}  // namespace lamina::lint
