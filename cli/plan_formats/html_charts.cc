// Layers as bars, and the curve of costs.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/plan_formats/html_parts.h"
#include "cli/plan_formats/markup.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;
using backend::ReportStep;

constexpr size_t kBars = 24;
constexpr size_t kLongest = 300;

struct Bar {
  std::string label, number, title;
  double live = 0, dead = 0;  // Bytes.
};

std::vector<Bar> BarsAfter(const PlanReport& report) {
  std::vector<Bar> bars;
  for (size_t i = 0; i < report.layers.size(); ++i) {
    const backend::ReportLayer& layer = report.layers[i];
    const double bytes = layer.bytes.mean.value_or(0);
    const double dead = std::min(bytes, static_cast<double>(layer.dead_bytes));
    std::string number =
        absl::StrCat(SizeWords(layer.bytes), " · ", ShareWords(layer.changed));
    bars.push_back({.label = layer.instruction,
                    .number = std::move(number),
                    .title = absl::StrCat(layer.instruction, "\n", layer.why),
                    .live = bytes - dead,
                    .dead = dead});
  }
  return bars;
}

// One layer a step, with the bytes that later steps make dead.
std::vector<Bar> BarsBefore(const PlanReport& report) {
  std::vector<Bar> bars;
  for (const ReportStep& step : report.before) {
    if (step.layer < 0) {
      continue;
    }
    const ReportStep* became = FindStep(report.steps, step.became);
    const backend::Estimate& size =
        step.bytes.mean.has_value() || became == nullptr ? step.bytes
                                                         : became->bytes;
    double dead = 0;
    for (const backend::WasteRow& waste : report.waste) {
      if (step.became > 0 && waste.step == step.became) {
        dead += static_cast<double>(waste.bytes);
      }
    }
    const double bytes = size.mean.value_or(0);
    dead = std::min(dead, bytes);
    bars.push_back({.label = absl::StrCat(step.number, " ", step.text),
                    .number = SizeWords(size),
                    .title = step.text,
                    .live = bytes - dead,
                    .dead = dead});
  }
  return bars;
}

double Greatest(const std::vector<Bar>& bars) {
  double greatest = 1;
  for (const Bar& bar : bars) {
    greatest = std::max(greatest, bar.live + bar.dead);
  }
  return greatest;
}

std::string Part(absl::string_view css, double bytes, double greatest) {
  if (bytes <= 0) {
    return "";
  }
  return absl::StrFormat("<i class=\"%s\" style=\"width:%.2f%%\"></i>", css,
                         bytes / greatest * 100);
}

// The largest ones, in their own order.
std::vector<Bar> Largest(std::vector<Bar> bars) {
  if (bars.size() <= kBars) {
    return bars;
  }
  std::vector<double> sizes;
  for (const Bar& bar : bars) {
    sizes.push_back(bar.live + bar.dead);
  }
  std::sort(sizes.rbegin(), sizes.rend());
  const double least = sizes[kBars - 1];
  std::vector<Bar> kept;
  for (Bar& bar : bars) {
    if (bar.live + bar.dead >= least && kept.size() < kBars) {
      kept.push_back(std::move(bar));
    }
  }
  return kept;
}

std::string DrawBar(const Bar& bar, double greatest) {
  std::string number = EscapeMarkup(bar.number);
  if (bar.dead > 0) {
    absl::StrAppend(&number, "<br><span class=\"warn\">", SizeWords(bar.dead),
                    " dead</span>");
  }
  return absl::StrCat("<span class=\"label\" title=\"",
                      FitMarkup(bar.title, kLongest), "\"><code>",
                      FitMarkup(bar.label, kLongest),
                      "</code></span><span class=\"track\">",
                      Part("fill-live", bar.live, greatest),
                      Part("fill-dead", bar.dead, greatest),
                      "</span><span class=\"number\">", number, "</span>\n");
}

std::string DrawBars(const std::vector<Bar>& bars, double greatest) {
  std::string out = "<div class=\"bars\">\n";
  for (const Bar& bar : Largest(bars)) {
    absl::StrAppend(&out, DrawBar(bar, greatest));
  }
  absl::StrAppend(&out, "</div>\n");
  if (bars.size() > kBars) {
    absl::StrAppend(&out, "<p class=\"soft\">… and ", bars.size() - kBars,
                    " that are no larger</p>\n");
  }
  return out;
}

// Places in the chart, in its own units.
struct Chart {
  static constexpr double kLeft = 12, kRight = 408, kTop = 26, kBottom = 150;
  int first = 0, last = 0;  // Layers.
  double greatest = 1;      // Bytes.
  double X(int layers) const {
    return last == first
               ? kLeft
               : kLeft + (kRight - kLeft) * (layers - first) / (last - first);
  }
  double Y(int64_t cost) const {
    return kBottom - (kBottom - kTop) * static_cast<double>(cost) / greatest;
  }
};

std::string DrawPoint(const Chart& chart, const ir::CurvePoint& point,
                      const PlanReport& report, bool dots) {
  const bool chosen = point.layers == report.chosen_layers;
  const bool knee = point.layers == report.knee;
  if (!dots && !chosen && !knee) {
    return "";
  }
  std::string title =
      absl::StrCat(point.layers, point.layers == 1 ? " layer: " : " layers: ",
                   SizeWords(static_cast<double>(point.cost)),
                   knee ? ", the knee" : "", chosen ? ", chosen" : "");
  std::string out;
  absl::StrAppendFormat(
      &out,
      "<circle class=\"dot%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>%s"
      "</title></circle>\n",
      chosen ? " best" : "", chart.X(point.layers), chart.Y(point.cost),
      chosen || knee ? "5" : "3", title);
  return out;
}

std::string DrawLabel(double x, double y, absl::string_view anchor,
                      absl::string_view css, absl::string_view text) {
  return absl::StrFormat(
      "<text%s x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
      css.empty() ? "" : absl::StrCat(" class=\"", css, "\""), x, y, anchor,
      text);
}

absl::string_view AnchorAt(double x) {
  return x < 90 ? "start" : x > 330 ? "end" : "middle";
}

std::string DrawCurve(const PlanReport& report) {
  Chart chart = {.first = report.curve.front().layers,
                 .last = report.curve.back().layers};
  for (const ir::CurvePoint& point : report.curve) {
    chart.greatest = std::max(chart.greatest, static_cast<double>(point.cost));
  }
  std::vector<std::string> line;
  std::string points, labels;
  for (const ir::CurvePoint& point : report.curve) {
    const double x = chart.X(point.layers);
    line.push_back(absl::StrFormat("%.1f,%.1f", x, chart.Y(point.cost)));
    absl::StrAppend(&points,
                    DrawPoint(chart, point, report, report.curve.size() <= 24));
    if (point.layers == report.chosen_layers) {
      absl::StrAppend(
          &labels,
          DrawLabel(x, chart.Y(point.cost) - 11, AnchorAt(x), "strong",
                    absl::StrCat(point.layers, " ★ ",
                                 SizeWords(static_cast<double>(point.cost)))));
    } else if (point.layers == report.knee &&
               chart.Y(point.cost) < Chart::kBottom - 22) {
      absl::StrAppend(&labels, DrawLabel(x, chart.Y(point.cost) + 19,
                                         AnchorAt(x), "", "knee"));
    }
  }
  return absl::StrCat(
      "<svg class=\"chart\" viewBox=\"0 0 420 182\" role=\"img\" "
      "style=\"width:100%;max-width:520px\">\n<title>Cost of the best layout "
      "of each number of layers</title>\n"
      "<path class=\"axis\" d=\"M12 150H408\" fill=\"none\"/>\n"
      "<polyline class=\"line\" points=\"",
      absl::StrJoin(line, " "), "\"/>\n", points, labels,
      DrawLabel(Chart::kLeft, 168, "start", "", absl::StrCat(chart.first)),
      DrawLabel(Chart::kRight, 168, "end", "",
                absl::StrCat(chart.last, " layers")),
      DrawLabel(Chart::kLeft, 14, "start", "",
                absl::StrCat("up to ", SizeWords(chart.greatest))),
      "</svg>\n");
}

// "docker 125 ✓"
std::string DrawFits(const PlanReport& report) {
  std::vector<std::string> parts;
  for (const backend::RuntimeFit& fit : report.fits) {
    parts.push_back(EscapeMarkup(absl::StrCat(
        fit.runtime, " ", fit.limit, fit.fits ? " ✓" : " ✗ does not load",
        fit.note.empty() ? "" : absl::StrCat(" (", fit.note, ")"))));
  }
  if (parts.empty()) {
    return "";
  }
  return absl::StrCat("<p class=\"soft\">Loads in ",
                      absl::StrJoin(parts, " · "), "</p>\n");
}

}  // namespace

std::string HtmlLayers(const PlanReport& report) {
  const std::vector<Bar> after = BarsAfter(report);
  if (after.empty()) {
    return "";
  }
  const std::vector<Bar> before = BarsBefore(report);
  const double greatest = std::max(Greatest(after), Greatest(before));
  std::string bars = absl::StrCat("<h3>As planned: ", after.size(),
                                  " · size, share of updates that "
                                  "replace it</h3>\n",
                                  DrawBars(after, greatest));
  if (!before.empty()) {
    absl::StrAppend(&bars, "<h3>As written: ", before.size(), "</h3>\n",
                    DrawBars(before, greatest));
  }
  if (report.curve.size() < 2) {
    return absl::StrCat(bars, DrawFits(report));
  }
  std::string curve = absl::StrCat(
      "<h3>Cost by number of layers</h3>\n", DrawCurve(report),
      "<p class=\"soft\">Bytes stored and pulled over the expected updates",
      report.epochs_source.empty()
          ? ""
          : absl::StrCat(", weighted by ", EscapeMarkup(report.epochs_source)),
      ".</p>\n", DrawFits(report));
  return absl::StrCat("<div class=\"two\"><div>\n", bars, "</div><div>\n",
                      curve, "</div></div>\n");
}

}  // namespace lamina::cli
