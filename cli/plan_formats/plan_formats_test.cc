// Each form of each report against a file beside this one. With UPDATE_GOLDEN=1
// in the environment the files are written anew. tests/pictures_test.py checks
// that the pictures among them are well-formed and fetch nothing.
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/estimate_text.h"
#include "cli/plan_formats/plan_format.h"
#include "cli/plan_formats/plan_graph.h"
#include "cli/plan_formats/test_reports.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;

void ExpectGolden(absl::string_view name, const std::string& text) {
  // Tests run in the repository's root.
  const std::string path = absl::StrCat("cli/plan_formats/", name, ".golden");
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(ReplaceFile(path, text, 0644, false).ok());
  }
  absl::StatusOr<std::string> golden = ReadFile(path);
  ASSERT_TRUE(golden.ok()) << golden.status();
  EXPECT_TRUE(*golden == text)
      << path << " differs; to see the change: UPDATE_GOLDEN=1 and git diff";
}

// Several hundred kilobytes that say the same 200 times.
bool IsTooLong(absl::string_view report, absl::string_view format) {
  return report == "long" && (format == "json" || format == "html");
}

TEST(PlanFormats, PrintWhatTheGoldenFilesHold) {
  for (const NamedReport& test : AllTestReports()) {
    for (const PlanFormat* format : AllPlanFormats()) {
      SCOPED_TRACE(absl::StrCat(test.name, " as ", format->name));
      const std::string text = format->print(test.report, {});
      EXPECT_EQ(text, format->print(test.report, {}));
      EXPECT_EQ(text.back(), '\n');
      if (!IsTooLong(test.name, format->name)) {
        ExpectGolden(absl::StrCat(test.name, ".", format->name), text);
      }
    }
  }
}

TEST(PlanFormats, DrawWhatChanged) {
  for (const PlanFormat* format : {&kPlanDot, &kPlanMermaid, &kPlanSvg}) {
    ExpectGolden(absl::StrCat("stages-diff.", format->name),
                 format->print(StagesReport(), {.stage = PlanStage::kDiff}));
  }
  ExpectGolden(
      "stages-lowered.mermaid",
      kPlanMermaid.print(StagesReport(), {.stage = PlanStage::kLowered}));
}

TEST(PlanFormats, TextShowsIntervalsAndFitsNarrowTerminals) {
  ExpectGolden("stages-verbose.text",
               kPlanText.print(StagesReport(), {.verbose = true}));
  ExpectGolden("simple-narrow.text",
               kPlanText.print(SimpleReport(), {.width = 64, .utf8 = false}));
}

TEST(PlanFormats, NoLineOfTextIsWiderThanItsPage) {
  for (const NamedReport& test : AllTestReports()) {
    for (size_t width : {20, 40, 64, 80, 120, 200}) {
      for (bool utf8 : {true, false}) {
        const std::string text = kPlanText.print(
            test.report, {.width = width, .utf8 = utf8, .verbose = true});
        for (absl::string_view line : absl::StrSplit(text, '\n')) {
          EXPECT_LE(DisplayWidth(line), width) << test.name << ": " << line;
        }
      }
    }
  }
}

TEST(PlanFormats, TextSendsNothingToTheTerminalButItsOwnColours) {
  const std::string plain = kPlanText.print(HostileReport(), {});
  EXPECT_FALSE(absl::StrContains(plain, "\x1b"));
  std::string colours = kPlanText.print(HostileReport(), {.colour = true});
  EXPECT_TRUE(absl::StrContains(colours, "\x1b[33mrun"));
  for (absl::string_view code :
       {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"}) {
    colours = absl::StrJoin(absl::StrSplit(colours, code), "");
  }
  EXPECT_EQ(colours, plain);
}

TEST(PlanFormats, JsonReadsBack) {
  for (const NamedReport& test : AllTestReports()) {
    const std::string text = kPlanJson.print(test.report, {});
    absl::StatusOr<Json> json =
        ParseJson(absl::string_view(text).substr(0, text.size() - 1));
    ASSERT_TRUE(json.ok()) << test.name << json.status();
    EXPECT_EQ((*json)["version"].integer(), 1);
    EXPECT_EQ((*json)["nodes"].array().size(), test.report.steps.size());
    EXPECT_EQ(absl::StrCat(PrintJson(*json), "\n"), text);
  }
}

TEST(PlanFormats, JsonHasTheFactsOfTheStep) {
  const std::string text = kPlanJson.print(StagesReport(), {});
  absl::StatusOr<Json> json =
      ParseJson(absl::string_view(text).substr(0, text.size() - 1));
  ASSERT_TRUE(json.ok());
  const Json& node = (*json)["nodes"].array()[11];
  EXPECT_EQ(node["id"].integer(), 12);
  EXPECT_EQ(PrintJson(node["inputs"]), "[11,6]");
  EXPECT_EQ(PrintJson(node["estimate"]["bytes"]), "[3211264,3670016,4587520]");
  EXPECT_EQ(PrintJson(node["estimate"]["seconds"]), "[0.088,0.1,0.125]");
  EXPECT_EQ(PrintJson(node["reason"]),
            R"({"code":"parent-changed","text":"parent changed"})");
  EXPECT_EQ(node["key"]["op"].string().size(), 71u);
  // A skipped step has no number, and what is unknown is null.
  EXPECT_TRUE((*json)["nodes"].array()[12]["id"].is_null());
  EXPECT_TRUE((*json)["nodes"].array()[12]["estimate"]["bytes"].is_null());
}

// What is left of a text outside of quotes, when `\` escapes a character.
std::string OutsideQuotes(absl::string_view text) {
  std::string out;
  bool inside = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (inside && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      inside = !inside;
    } else if (!inside) {
      out += text[i];
    }
  }
  return inside ? "unbalanced" : out;
}

TEST(PlanFormats, HostileTextsStayInTheirPlace) {
  const PlanReport report = HostileReport();
  for (const PlanFormat* format : {&kPlanSvg, &kPlanHtml}) {
    const std::string text = format->print(report, {});
    EXPECT_TRUE(absl::StrContains(text, "&lt;script&gt;alert")) << format->name;
    for (absl::string_view bad :
         {"<script", "]]>", "<img", "<b on", "<i>bad", "onload=\"", "</table><",
          "\xef\xbf\xbe", "\xe2\x80\xae", "\x1b"}) {
      EXPECT_FALSE(absl::StrContains(text, bad)) << format->name << bad;
    }
  }
  const std::string dot = OutsideQuotes(kPlanDot.print(report, {}));
  for (absl::string_view bad : {"script", "evil", "echo", "unbalanced"}) {
    EXPECT_FALSE(absl::StrContains(dot, bad)) << bad;
  }
  const std::string mermaid = kPlanMermaid.print(report, {});
  for (absl::string_view bad : {"<script", "%%", "`", "{", "\\"}) {
    EXPECT_FALSE(absl::StrContains(mermaid, bad)) << bad;
  }
  EXPECT_EQ(OutsideQuotes(mermaid).find("echo"), std::string::npos);
}

TEST(PlanFormats, AreFoundByNameOrTheNearestIsNamed) {
  for (const PlanFormat* format : AllPlanFormats()) {
    EXPECT_EQ(*FindPlanFormat(format->name), format);
  }
  EXPECT_EQ(FindPlanFormat("jsn").status().message(),
            "--format: `jsn` is not known; did you mean `json`?");
  EXPECT_EQ(FindPlanFormat("picture").status().message(),
            "--format: `picture` is not known; one of text, json, dot, "
            "mermaid, svg, html");
  EXPECT_EQ(ExitCodeOf(FindPlanFormat("x").status()), 2);
  EXPECT_EQ(*FindPlanStage("diff"), PlanStage::kDiff);
  EXPECT_EQ(FindPlanStage("optimized").status().message(),
            "--stage: `optimized` is not known; did you mean `optimised`?");
}

TEST(PlanGraphs, FoldOnlyWhatIsOneChain) {
  const PlanGraph whole = MakePlanGraph(LongReport(200), {.fold = 0});
  EXPECT_EQ(whole.nodes.size(), 201u);
  EXPECT_EQ(MakePlanGraph(LongReport(150), {}).nodes.size(), 151u);
  const PlanGraph folded = MakePlanGraph(LongReport(200), {});
  ASSERT_EQ(folded.nodes.size(), 6u);
  EXPECT_EQ(folded.edges.size(), 5u);
  EXPECT_EQ(folded.nodes[1].number, "1–50");
  size_t steps = 0;
  for (const GraphNode& node : folded.nodes) {
    steps += node.steps.size();
  }
  EXPECT_EQ(steps, 200u);
  // Step 8 is read by two others, step 6 by one in another stage.
  const PlanGraph stages = MakePlanGraph(StagesReport(), {.fold = 1});
  EXPECT_EQ(stages.nodes[4].number, "1–3");
  for (const GraphEdge& edge : stages.edges) {
    EXPECT_NE(edge.from, edge.to);
  }
}

TEST(PlanGraphs, SkippedStepsStandWhereTheyWereWritten) {
  const PlanGraph graph = MakePlanGraph(StagesReport(), {});
  const int first = static_cast<int>(graph.stages.size());
  std::vector<std::pair<int, int>> around;
  for (const GraphEdge& edge : graph.edges) {
    if (edge.to == first + 13 || edge.from == first + 13) {
      around.emplace_back(edge.from - first + 1, edge.to - first + 1);
    }
  }
  EXPECT_EQ(around, (std::vector<std::pair<int, int>>{{14, 11}, {10, 14}}));
}

TEST(EstimateReport, ShowsEachStepBesideItsMeasurement) {
  backend::BuildForecast build;
  build.steps = {{.step = 3,
                  .text = "RUN go mod download",
                  .bytes = {.mean = 1048576, .low = 1e6, .high = 2e6},
                  .seconds = {.mean = 4, .low = 3, .high = 5},
                  .measured_bytes = 1572864,
                  .measured_seconds = 6.0},
                 {.step = 4, .text = "RUN \x1b[2Jx", .measured_seconds = 1.0},
                 {.step = 5,
                  .text = "COPY . .",
                  .bytes = {.mean = 2048, .exact = true},
                  .measured_bytes = 2048}};
  build.same_layers = true;
  ExpectGolden(
      "estimates",
      PrintEstimateReport(build, backend::MeasureEstimates({build, build}),
                          {.width = 100}));
  EXPECT_EQ(PrintEstimateReport({}, {}, {}), "");
}

}  // namespace
}  // namespace lamina::cli
