#include "cli/plan_formats/draw_layers.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/plan_formats/markup.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;
using backend::ReportLayer;

constexpr int kLaneWidth = 152;
constexpr int kListHeight = 58;

std::string TitleText(const ReportLayer& layer) {
  std::vector<std::string> lines = {absl::StrCat(
      layer.steps.size() == 1 ? "step " : "steps ", NumberWords(layer.steps))};
  lines.push_back(layer.instruction);
  if (std::string size = SizeInterval(layer.bytes); !size.empty()) {
    lines.push_back(size);
  }
  lines.push_back(layer.why);
  lines.erase(std::remove(lines.begin(), lines.end(), ""), lines.end());
  for (std::string& line : lines) {
    line = FitMarkup(line, 400);
  }
  return absl::StrJoin(lines, "\n");
}

void DrawLayer(const PlanReport& report, const LayerSpan& span, int x,
               std::string& out) {
  const ReportLayer& layer = report.layers[span.layer];
  absl::StrAppend(&out, "<g class=\"layer\"><title>", TitleText(layer),
                  "</title>");
  absl::StrAppendFormat(&out, "<path d=\"M%d %dh7V%dh-7\"/>", x, span.top + 5,
                        span.bottom - 5);
  const bool dead = layer.dead_bytes > 0;
  const int y = (span.top + span.bottom) / 2 - (dead ? 12 : 3);
  absl::StrAppendFormat(&out,
                        "<text class=\"bold\" x=\"%d\" y=\"%d\">layer %d · "
                        "%s</text>",
                        x + 16, y, span.layer + 1, SizeWords(layer.bytes));
  absl::StrAppendFormat(&out,
                        "<text class=\"small\" x=\"%d\" y=\"%d\">in %s of "
                        "updates</text>",
                        x + 16, y + 16, ShareWords(layer.changed));
  if (dead) {
    absl::StrAppendFormat(&out,
                          "<text class=\"small dead\" x=\"%d\" y=\"%d\">%s "
                          "dead</text>",
                          x + 16, y + 32, SizeWords(layer.dead_bytes));
  }
  absl::StrAppend(&out, "</g>\n");
}

}  // namespace

void DrawLayers(const PlanReport& report, const std::vector<LayerSpan>& spans,
                Drawing& drawing) {
  if (report.layers.empty() || spans.empty()) {
    return;
  }
  std::map<int, LayerSpan> whole;
  for (const LayerSpan& span : spans) {
    if (span.layer >= static_cast<int>(report.layers.size())) {
      continue;
    }
    LayerSpan& sum = whole.try_emplace(span.layer, span).first->second;
    sum.top = std::min(sum.top, span.top);
    sum.bottom = std::max(sum.bottom, span.bottom);
  }
  std::vector<LayerSpan> sorted;
  for (const auto& [layer, span] : whole) {
    sorted.push_back(span);
  }
  for (size_t i = 0; i < report.layers.size(); ++i) {
    if (whole.count(static_cast<int>(i)) == 0) {
      sorted.push_back(
          {static_cast<int>(i), drawing.height, drawing.height + kListHeight});
      drawing.height += kListHeight;
    }
  }
  std::stable_sort(
      sorted.begin(), sorted.end(),
      [](const LayerSpan& a, const LayerSpan& b) { return a.top < b.top; });
  std::vector<int> ends;  // Of the lowest bracket in each lane.
  for (const LayerSpan& span : sorted) {
    size_t lane = 0;
    while (lane < ends.size() && ends[lane] > span.top) {
      ++lane;
    }
    ends.resize(std::max(ends.size(), lane + 1));
    ends[lane] = span.bottom;
    DrawLayer(report, span,
              drawing.width + 8 + static_cast<int>(lane) * kLaneWidth,
              drawing.elements);
  }
  drawing.width += 8 + static_cast<int>(ends.size()) * kLaneWidth;
}

}  // namespace lamina::cli
