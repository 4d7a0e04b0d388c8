// The last real build: a lane for each stage, a bar for each step.
#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/plan_formats/html_parts.h"
#include "cli/plan_formats/markup.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;
using backend::TimelineRow;

constexpr size_t kLongest = 300;

// Distances between marks of the axis: 1, 2 or 5 times a power of ten.
double TickOf(double total) {
  double tick = std::pow(10, std::floor(std::log10(total / 5)));
  for (double factor : {2.0, 2.5, 2.0}) {
    if (total / tick > 6) {
      tick *= factor;
    }
  }
  return tick;
}

absl::string_view BarClass(absl::string_view state) {
  for (absl::string_view known : {"run", "cached", "failed"}) {
    if (state == known) {
      return known;
    }
  }
  return "other";
}

std::string DrawRow(const TimelineRow& row, double total) {
  const double width = row.seconds / total * 100;
  std::string label = row.text;
  if (row.step > 0) {
    label = absl::StrCat(row.step, " ", label);
  }
  return absl::StrFormat(
      "<span class=\"bar s-%s\" style=\"left:%.2f%%;width:%.2f%%\" "
      "title=\"%s\">%s</span>",
      BarClass(row.state), std::min(row.start / total * 100, 99.5), width,
      FitMarkup(
          absl::StrCat(label, "\n", row.state, ", ", TimeWords(row.seconds),
                       " from ", TimeWords(row.start)),
          kLongest),
      width < 4 ? "" : FitMarkup(label, kLongest));
}

// A step that starts before another one of its stage ended goes below it.
std::string DrawLane(const std::vector<const TimelineRow*>& rows,
                     double total) {
  std::vector<double> ends;
  std::vector<std::string> lines;
  for (const TimelineRow* row : rows) {
    size_t line = 0;
    while (line < ends.size() && ends[line] > row->start + 1e-9) {
      ++line;
    }
    ends.resize(std::max(ends.size(), line + 1));
    lines.resize(ends.size());
    ends[line] = row->start + row->seconds;
    absl::StrAppend(&lines[line], DrawRow(*row, total));
  }
  std::string out;
  for (const std::string& line : lines) {
    absl::StrAppend(&out, "<div class=\"row\">", line, "</div>");
  }
  return out;
}

}  // namespace

std::string HtmlTimeline(const PlanReport& report) {
  double total = 0;
  std::vector<std::string> stages;
  std::map<std::string, std::vector<const TimelineRow*>> lanes;
  std::vector<std::string> never;
  for (const TimelineRow& row : report.timeline) {
    if (row.state == "not reached") {
      never.push_back(FitMarkup(row.text, kLongest));
      continue;
    }
    total = std::max(total, row.start + row.seconds);
    if (lanes[row.stage].empty()) {
      stages.push_back(row.stage);
    }
    lanes[row.stage].push_back(&row);
  }
  if (stages.empty()) {
    return "";
  }
  total = std::max(total, 0.001);
  std::string out =
      absl::StrCat("<p class=\"soft\">", EscapeMarkup(report.timeline_build),
                   ", ", TimeWords(total), "</p>\n");
  for (const std::string& stage : stages) {
    absl::StrAppend(&out, "<div class=\"lane\"><span class=\"name\">",
                    FitMarkup(stage.empty() ? "image" : stage, 60),
                    "</span><div>", DrawLane(lanes[stage], total),
                    "</div></div>\n");
  }
  absl::StrAppend(&out, "<div class=\"axis\">");
  const double tick = TickOf(total);
  for (int i = 0; i * tick <= total; ++i) {
    absl::StrAppendFormat(&out, "<span style=\"left:%.2f%%\">%s</span>",
                          i * tick / total * 100,
                          i == 0 ? "0" : TimeWords(i * tick));
  }
  absl::StrAppend(&out, "</div>\n");
  if (!never.empty()) {
    absl::StrAppend(&out, "<p class=\"soft\">Not reached: ",
                    absl::StrJoin(never, "; "), "</p>\n");
  }
  return out;
}

}  // namespace lamina::cli
