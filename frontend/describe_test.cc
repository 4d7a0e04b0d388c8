// Reads 736 real Dockerfiles and compares with Docker's reference parser.
#include <fstream>
#include <iostream>
#include <string>

#include "base/files.h"
#include "base/json.h"
#include "frontend/lower.h"
#include "gtest/gtest.h"
#include "ir/verify.h"

namespace lamina::frontend {
namespace {

constexpr char kFolder[] = "../shared/data/dockerfiles";

// Our own words are not compared with the reference's.
Json Comparable(const Json& object) {
  if (object["ok"].boolean()) {
    return object;
  }
  Json failed = Json::Object();
  failed.Set("file", object["file"]);
  failed.Set("ok", false);
  return failed;
}

Json Describe(const std::string& name, const std::string& text) {
  SourceFile source(name, text);
  Diagnostics diagnostics;
  grammar::DockerfileSyntax syntax =
      grammar::ParseDockerfile(source, DockerfileKeywords(), diagnostics);
  absl::StatusOr<Json> object =
      ParseJson(DescribeDockerfile(syntax, source, diagnostics));
  return object.ok() ? *object : Json();
}

TEST(DescribeTest, RealFilesAreReadAsTheReferenceParserReadsThem) {
  std::string folder = kFolder;
  std::ifstream expected(folder + "/expected.jsonl");
  if (!expected) {
    GTEST_SKIP() << "no collection of Dockerfiles in " << folder;
  }
  int compared = 0;
  std::string line;
  while (std::getline(expected, line)) {
    absl::StatusOr<Json> want = ParseJson(line);
    ASSERT_TRUE(want.ok()) << want.status();
    const std::string& name = (*want)["file"].string();
    absl::StatusOr<std::string> text = ReadFile(folder + "/files/" + name);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(PrintJson(Comparable(Describe(name, *text))),
              PrintJson(Comparable(*want)));
    ++compared;
  }
  EXPECT_EQ(compared, 736);
  std::cout << compared << " files compared\n";
}

TEST(DescribeTest, GraphsOfRealFilesHold) {
  std::string folder = kFolder;
  std::ifstream expected(folder + "/expected.jsonl");
  if (!expected) {
    GTEST_SKIP() << "no collection of Dockerfiles in " << folder;
  }
  int lowered = 0;
  std::string line;
  while (std::getline(expected, line)) {
    std::string name = (*ParseJson(line))["file"].string();
    SourceFile source(name, *ReadFile(folder + "/files/" + name));
    Diagnostics diagnostics;
    grammar::DockerfileSyntax syntax =
        grammar::ParseDockerfile(source, DockerfileKeywords(), diagnostics);
    ir::BuildGraph graph = LowerDockerfile(syntax, source, {}, {}, diagnostics);
    if (!diagnostics.has_errors()) {
      EXPECT_EQ(ir::VerifyGraph(graph), absl::OkStatus()) << name;
      ++lowered;
    }
  }
  // The others need build arguments, fetch with ADD or are no Dockerfiles.
  EXPECT_GE(lowered, 600);
}

TEST(DescribeTest, EveryKeyOfEveryInstructionIsShown) {
  Json object =
      Describe("dir/Dockerfile",
               "FROM --platform=linux/amd64 a AS B\n"
               "ARG x y=\"1\"\n"
               "RUN <<-E\n\tls\nE\n"
               "COPY a <<-\"F\" /d/\n\tx\nF\n"
               "HEALTHCHECK --interval=1m30s --retries=2 CMD [\"a\"]\n"
               "EXPOSE 80 443\n"
               "ONBUILD RUN ls\n");
  EXPECT_EQ(
      PrintJson(object),
      R"({"escape":"\\","file":"Dockerfile","instructions":[)"
      R"({"end_line":1,"flags":["--platform=linux/amd64"],"image":"a",)"
      R"("keyword":"FROM","line":1,"name":"b"},)"
      R"({"args":[["x",null],["y","\"1\""]],"end_line":2,"keyword":"ARG",)"
      R"("line":2},)"
      R"({"command":["<<-E"],"end_line":5,"files":[{"chomp":true,)"
      R"("data":"\tls\n","name":"E"}],"form":"shell","keyword":"RUN",)"
      R"("line":3},)"
      R"({"destination":"/d/","end_line":8,"files":[{"data":"x\n",)"
      R"("expand":false,"name":"F"}],"keyword":"COPY","line":6,)"
      R"("sources":["a"]},)"
      R"({"end_line":9,"flags":["--interval=1m30s","--retries=2"],)"
      R"("interval_ns":90000000000,"keyword":"HEALTHCHECK","line":9,)"
      R"("retries":2,"test":["CMD","a"]},)"
      R"({"end_line":10,"keyword":"EXPOSE","line":10,)"
      R"("values":["443","80"]},)"
      R"({"end_line":11,"keyword":"ONBUILD","line":11,"value":"RUN ls"}],)"
      R"("ok":true})");
}

TEST(DescribeTest, AWrongFileSaysWhy) {
  EXPECT_EQ(PrintJson(Describe("Dockerfile", "FROM a\nCMD --user=x y\n")),
            R"({"error":"unknown flag: --user; CMD has no flags: if `--user` )"
            R"(is an argument, write `--` before it","file":"Dockerfile",)"
            R"("ok":false})");
  EXPECT_EQ(PrintJson(Describe("Dockerfile", "RUN ls\n")),
            R"({"error":"no build stage in current context; write a FROM )"
            R"(before it",)"
            R"("file":"Dockerfile","ok":false})");
}

}  // namespace
}  // namespace lamina::frontend
