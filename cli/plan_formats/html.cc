// One page with everything: no script, nothing fetched (its own policy forbids
// both), readable on a phone and on a wide screen, light and dark.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/plan_formats/draw_graph.h"
#include "cli/plan_formats/html_parts.h"
#include "cli/plan_formats/markup.h"
#include "cli/plan_formats/picture_style.h"
#include "cli/plan_formats/plan_format.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;

std::string Head(const PlanReport& report) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
      "<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
      "'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>Plan of ",
      EscapeMarkup(report.file), "</title>\n<style>\n", PaletteStyle(),
      GraphStyle(), HtmlStyle(), "</style>\n</head>\n");
}

std::string Heading(const PlanReport& report) {
  std::string out = absl::StrCat("<h1>", EscapeMarkup(report.file));
  if (!report.target.empty()) {
    absl::StrAppend(&out, " <small>→ ", EscapeMarkup(report.target),
                    "</small>");
  }
  absl::StrAppend(&out, "</h1>\n<p class=\"soft\">",
                  EscapeMarkup(report.platform), " · -",
                  EscapeMarkup(report.level));
  if (!report.lock.empty()) {
    absl::StrAppend(&out, " · lock ", EscapeMarkup(report.lock));
  }
  absl::StrAppend(&out, "</p>\n");
  for (const std::string& unknown : report.unknown) {
    absl::StrAppend(&out,
                    "<p class=\"warn\">Not here, so its steps are "
                    "unknown: <code>",
                    EscapeMarkup(unknown), "</code></p>\n");
  }
  return out;
}

std::string Picture(const PlanReport& report, PlanPrintOptions options,
                    PlanStage stage) {
  options.stage = stage;
  const Drawing drawing = DrawGraph(report, MakePlanGraph(report, options));
  // Shrinks a little before it has to be scrolled.
  return absl::StrFormat(
      "<div class=\"scroll\"><svg style=\"min-width:%dpx\" width=\"%d\" "
      "height=\"%d\" "
      "viewBox=\"0 0 %d %d\" role=\"img\">\n%s</svg></div>\n",
      drawing.width * 4 / 5, drawing.width, drawing.height, drawing.width,
      drawing.height, drawing.elements);
}

constexpr absl::string_view kLegend =
    "<div class=\"legend\"><span class=\"ink-cached\">✓ cached</span>"
    "<span class=\"ink-run\">▸ runs</span>"
    "<span class=\"ink-skipped\">– skipped</span>"
    "<span>━ longest path</span><span>┄ files read from another stage</span>"
    "<span>] one layer</span></div>\n";

// Tabs made of radio buttons: no script is needed to change between them.
std::string Graphs(const PlanReport& report, const PlanPrintOptions& options) {
  if (report.before.empty()) {
    return absl::StrCat(Picture(report, options, PlanStage::kOptimised),
                        kLegend);
  }
  struct Tab {
    PlanStage stage;
    absl::string_view name;
  };
  constexpr Tab kTabs[] = {{PlanStage::kOptimised, "As it will run"},
                           {PlanStage::kLowered, "As written"},
                           {PlanStage::kDiff, "What changed"}};
  std::string heads, bodies;
  int number = 0;
  for (const Tab& tab : kTabs) {
    ++number;
    absl::StrAppend(&heads, "<input type=\"radio\" name=\"tab\" id=\"tab",
                    number, "\"", tab.stage == options.stage ? " checked" : "",
                    "><label for=\"tab", number, "\">", tab.name, "</label>\n");
    absl::StrAppend(&bodies, "<div class=\"tab tab", number, "\">\n",
                    Picture(report, options, tab.stage), "</div>\n");
  }
  return absl::StrCat("<div class=\"tabs\">\n", heads, bodies, "</div>\n",
                      kLegend);
}

std::string Print(const PlanReport& report, const PlanPrintOptions& options) {
  std::string path;
  if (!report.critical_path.empty()) {
    path = absl::StrCat("<p class=\"soft\">Longest path: ",
                        PathWords(report.critical_path), "</p>\n");
  }
  return absl::StrCat(
      Head(report), "<body>\n<main>\n", Heading(report), HtmlTiles(report),
      Section("graph", "Graph", absl::StrCat(Graphs(report, options), path)),
      Section("layers", "Layers", HtmlLayers(report)),
      Section("waste", "Wasted bytes", HtmlWaste(report)),
      Section("decisions", "Where layers end", HtmlDecisions(report)),
      Section("timeline", "The last build", HtmlTimeline(report)),
      Section("steps", "Steps", HtmlSteps(report)),
      Section("rewrites", "What the optimiser did", HtmlRewrites(report)),
      "<footer>Made by lamina plan. <b>~</b> is an estimate, <b>?</b> is not "
      "known.</footer>\n</main>\n</body>\n</html>\n");
}

}  // namespace

constinit const PlanFormat kPlanHtml = {
    .name = "html",
    .summary = "one page with graph, layers, costs and the last build",
    .print = Print,
    .draws = true,
};

}  // namespace lamina::cli
