// The graph as one SVG file: no script, nothing fetched, light and dark.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "cli/plan_formats/draw_graph.h"
#include "cli/plan_formats/markup.h"
#include "cli/plan_formats/picture_style.h"
#include "cli/plan_formats/plan_format.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;

constexpr int kMinWidth = 560;
constexpr int kSide = 18;
constexpr double kCharacter = 6.6;

std::string Heading(const PlanReport& report) {
  return report.target.empty()
             ? report.file
             : absl::StrCat(report.file, " → ", report.target);
}

std::vector<std::string> Facts(const PlanReport& report) {
  std::vector<std::string> facts = {report.platform,
                                    absl::StrCat("-", report.level)};
  std::string steps =
      absl::StrCat(report.run, " run, ", report.cached, " cached");
  if (report.skipped > 0) {
    absl::StrAppend(&steps, ", ", report.skipped, " skipped");
  }
  facts.push_back(steps);
  facts.push_back(TimeWords(report.seconds));
  if (!report.layers.empty()) {
    facts.push_back(absl::StrCat(report.chosen_layers, " of ",
                                 report.verbatim_layers, " layers, ",
                                 OwnSizeWords(report)));
  }
  return facts;
}

// Facts in as many lines as the width asks for. Returns the y below.
int DrawFacts(const PlanReport& report, int width, int y, std::string& out) {
  const auto room = static_cast<size_t>((width - 2 * kSide) / kCharacter);
  std::string line;
  auto flush = [&] {
    absl::StrAppendFormat(&out,
                          "<text class=\"small\" x=\"%d\" y=\"%d\">%s</text>\n",
                          kSide, y, FitMarkup(line, room));
    y += 17;
    line.clear();
  };
  for (const std::string& fact : Facts(report)) {
    const absl::string_view between = line.empty() ? "" : " · ";
    if (!line.empty() && DisplayWidth(absl::StrCat(line, " · ", fact)) > room) {
      flush();
      line = fact;
    } else {
      absl::StrAppend(&line, between, fact);
    }
  }
  flush();
  return y;
}

void DrawLegend(int y, std::string& out) {
  struct Item {
    absl::string_view css, text;
    int width;
  };
  constexpr Item kStates[] = {{"cached", "✓ cached", 92},
                              {"run", "▸ runs", 78},
                              {"skipped", "– skipped", 98}};
  int x = kSide;
  for (const Item& item : kStates) {
    absl::StrAppendFormat(
        &out,
        "<g class=\"%s\"><rect class=\"box\" x=\"%d\" y=\"%d\" width=\"16\" "
        "height=\"12\" rx=\"3\"/><text class=\"small\" x=\"%d\" y=\"%d\">%s"
        "</text></g>\n",
        item.css, x, y, x + 22, y + 10, item.text);
    x += item.width;
  }
  constexpr Item kLines[] = {{"e crit", "longest path", 120},
                             {"e read", "files read from another stage", 200}};
  for (const Item& item : kLines) {
    absl::StrAppendFormat(
        &out,
        "<g class=\"%s\"><path d=\"M%d %dh24\"/></g><text class=\"small\" "
        "x=\"%d\" y=\"%d\">%s</text>\n",
        item.css, x, y + 6, x + 30, y + 10, item.text);
    x += item.width;
  }
}

std::string Print(const PlanReport& report, const PlanPrintOptions& options) {
  const Drawing graph = DrawGraph(report, MakePlanGraph(report, options));
  const int width = std::max(kMinWidth, graph.width + 2 * (kSide - 14));
  std::string head;
  absl::StrAppendFormat(
      &head,
      "<text class=\"bold\" x=\"%d\" y=\"32\" style=\"font-size:17px\">%s"
      "</text>\n",
      kSide,
      FitMarkup(Heading(report), static_cast<size_t>((width - 40) / 10.5)));
  const int top = DrawFacts(report, width, 53, head);
  const int legend = top + graph.height + 10;
  DrawLegend(legend, head);
  const int height = legend + 30;
  std::string out;
  absl::StrAppendFormat(
      &out,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
      "viewBox=\"0 0 %d %d\" role=\"img\">\n<title>%s</title>\n",
      width, height, width, height,
      EscapeMarkup(absl::StrCat("Plan of ", Heading(report))));
  absl::StrAppend(&out, "<style>\n", PaletteStyle(), GraphStyle(),
                  "</style>\n<rect width=\"100%\" height=\"100%\" rx=\"10\" "
                  "fill=\"var(--page)\"/>\n<g class=\"graph\">\n",
                  head, "</g>\n");
  absl::StrAppendFormat(&out, "<g transform=\"translate(%d %d)\">\n%s</g>\n",
                        kSide - 14, top, graph.elements);
  absl::StrAppend(&out, "</svg>\n");
  return out;
}

}  // namespace

constinit const PlanFormat kPlanSvg = {
    .name = "svg",
    .summary = "the graph as a picture",
    .print = Print,
    .draws = true,
};

}  // namespace lamina::cli
