// The sections that are tables, and the figures at the top.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/plan_formats/html_parts.h"
#include "cli/plan_formats/markup.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;
using backend::ReportState;
using backend::ReportStep;

// Longer texts would make a page of megabytes; the build file has them whole.
constexpr size_t kLongest = 1000;
constexpr size_t kShort = 120;  // Of a step that is shown elsewhere, too.

std::string Text(absl::string_view raw) { return FitMarkup(raw, kLongest); }

std::string Tile(absl::string_view title, absl::string_view figure,
                 absl::string_view note) {
  return absl::StrCat("<div class=\"tile\"><span>", EscapeMarkup(title),
                      "</span><b>", EscapeMarkup(figure), "</b><span>",
                      EscapeMarkup(note), "</span></div>\n");
}

// "-14 % of 390.0 MiB as written"
std::string Against(uint64_t now, uint64_t verbatim) {
  if (verbatim == 0) {
    return "";
  }
  const double change =
      static_cast<double>(now) / static_cast<double>(verbatim) - 1;
  const std::string size = SizeWords(static_cast<double>(verbatim));
  if (std::abs(change) < 0.005) {
    return absl::StrCat("as written: ", size);
  }
  return absl::StrFormat("%+.0f %% against %s as written", change * 100, size);
}

std::string StepsTile(const PlanReport& report) {
  std::string mix;
  struct Part {
    absl::string_view css;
    int count;
  };
  for (const Part& part :
       {Part{"cached", report.cached}, Part{"run", report.run},
        Part{"skipped", report.skipped}}) {
    if (part.count > 0) {
      absl::StrAppend(&mix, "<i class=\"fill-", part.css,
                      "\" style=\"flex:", part.count, "\"></i>");
    }
  }
  return absl::StrCat(
      "<div class=\"tile\"><span>Steps</span><b>", report.run,
      " to run</b><span>", report.cached, " cached",
      report.skipped > 0 ? absl::StrCat(", ", report.skipped, " skipped") : "",
      "</span><div class=\"mix\">", mix, "</div></div>\n");
}

std::string LayerNote(const PlanReport& report) {
  std::string note = absl::StrCat("on ", report.base_layers, " of the base");
  if (report.limit > 0) {
    absl::StrAppend(&note, ", limit ", report.limit, " ", report.limit_name);
  }
  return note;
}

void AppendCell(std::string& row, absl::string_view name,
                absl::string_view html, absl::string_view css = "") {
  absl::StrAppend(&row, "<td", css.empty() ? "" : " class=\"", css,
                  css.empty() ? "" : "\"");
  if (!name.empty() && !html.empty()) {
    absl::StrAppend(&row, " data-is=\"", name, "\"");
  }
  absl::StrAppend(&row, ">", html, "</td>");
}

std::string Table(absl::string_view head, absl::string_view rows) {
  return absl::StrCat("<table class=\"cards\"><thead><tr>", head,
                      "</tr></thead><tbody>\n", rows, "</tbody></table>\n");
}

std::string CodeText(absl::string_view raw) {
  return raw.empty() ? "" : absl::StrCat("<code>", Text(raw), "</code>");
}

// The instruction a step number stands for, with its place.
std::string StepHtml(const PlanReport& report, int number) {
  const ReportStep* step = FindStep(report.steps, number);
  if (step == nullptr) {
    return number > 0 ? absl::StrCat("step ", number) : "";
  }
  return absl::StrCat(
      "<b>", number, "</b> <code>", FitMarkup(step->text, kShort), "</code>",
      " <span class=\"soft\">", Text(PlaceOf(*step)), "</span>");
}

absl::string_view MarkOf(ReportState state) {
  switch (state) {
    case ReportState::kCached:
      return "✓";
    case ReportState::kRun:
      return "▸";
    case ReportState::kSkipped:
      return "–";
  }
  return "";
}

std::string StepRow(const ReportStep& step, bool stages) {
  std::string row = step.number > 0
                        ? absl::StrCat("<tr id=\"s", step.number, "\">")
                        : std::string("<tr>");
  const absl::string_view state = StateWord(step.state);
  AppendCell(row, "", step.number > 0 ? absl::StrCat(step.number) : "–", "num");
  if (stages) {
    AppendCell(row, "stage", Text(step.stage));
  }
  std::string text = CodeText(step.text);
  std::vector<std::string> details = step.details;
  if (step.fused) {
    details.push_back("fused with the step before");
  }
  details.insert(details.end(), step.network.begin(), step.network.end());
  if (!details.empty()) {
    absl::StrAppend(&text, "<br><span class=\"soft\">",
                    Text(absl::StrJoin(details, ", ")), "</span>");
  }
  AppendCell(row, "", text);
  AppendCell(row, "",
             absl::StrCat("<span class=\"ink-", state, "\">",
                          MarkOf(step.state), " ", state, "</span>"),
             "nowrap");
  AppendCell(row, "why:", Text(step.reason));
  const bool skipped = step.state == ReportState::kSkipped;
  AppendCell(row, "size", skipped ? "" : SizeWords(step.bytes), "num");
  AppendCell(row, "time",
             step.state == ReportState::kRun ? TimeWords(step.seconds) : "",
             "num");
  AppendCell(row, "", Text(PlaceOf(step)), "soft nowrap");
  return absl::StrCat(row, "</tr>\n");
}

}  // namespace

std::string Section(absl::string_view id, absl::string_view title,
                    absl::string_view body) {
  if (body.empty()) {
    return "";
  }
  return absl::StrCat("<section id=\"", id, "\">\n<h2>", title, "</h2>\n", body,
                      "</section>\n");
}

std::string HtmlTiles(const PlanReport& report) {
  std::string tiles = StepsTile(report);
  absl::StrAppend(&tiles, Tile("Time expected", TimeWords(report.seconds),
                               TimeInterval(report.seconds)));
  if (!report.layers.empty()) {
    absl::StrAppend(
        &tiles,
        Tile("Own layers",
             absl::StrCat(report.verbatim_layers, " → ", report.chosen_layers),
             LayerNote(report)),
        Tile("Own size", OwnSizeWords(report),
             Against(report.stored, report.verbatim_stored)),
        Tile("Per update", SizeWords(static_cast<double>(report.update)),
             Against(report.update, report.verbatim_update)));
  }
  absl::StrAppend(
      &tiles,
      Tile("Network", report.pulls || report.network ? "used" : "not used",
           absl::StrCat("pull ", report.pulls ? "yes" : "no", ", run ",
                        report.network ? "yes" : "no")));
  return absl::StrCat("<div class=\"tiles\">\n", tiles, "</div>\n");
}

std::string HtmlDecisions(const PlanReport& report) {
  std::string rows;
  for (const DecisionGroup& group : GroupDecisions(report)) {
    const backend::ReportDecision& decision = group.decision;
    std::string row = "<tr>";
    AppendCell(row, "", absl::StrCat("<b>", DecisionWords(group), "</b>"),
               "nowrap");
    AppendCell(row, "",
               absl::StrCat("<span class=\"chip\">",
                            decision.cut ? "cut" : "merged", "</span>"));
    AppendCell(row, "reason", Text(decision.reason), "nowrap");
    AppendCell(row, "", Text(decision.text));
    AppendCell(row, "saves",
               group.count == 1
                   ? SizeWords(static_cast<double>(decision.saves_bytes))
                   : "",
               "num");
    absl::StrAppend(&rows, row, "</tr>\n");
  }
  if (rows.empty()) {
    return "";
  }
  return Table(
      "<th>Steps</th><th></th><th>Reason</th><th>Why</th>"
      "<th class=\"num\">Saves</th>",
      rows);
}

std::string HtmlSteps(const PlanReport& report) {
  const bool stages =
      std::any_of(report.steps.begin(), report.steps.end(),
                  [](const ReportStep& step) { return !step.stage.empty(); });
  std::string rows;
  for (const ReportStep& step : report.steps) {
    absl::StrAppend(&rows, StepRow(step, stages));
  }
  if (rows.empty()) {
    return "";
  }
  return Table(
      absl::StrCat("<th class=\"num\">No.</th>", stages ? "<th>Stage</th>" : "",
                   "<th>Instruction</th><th>State</th><th>Why</th>"
                   "<th class=\"num\">Size</th><th class=\"num\">"
                   "Time</th><th>Line</th>"),
      rows);
}

std::string HtmlWaste(const PlanReport& report) {
  std::string rows;
  for (const backend::WasteRow& waste : report.waste) {
    std::string row = "<tr>";
    AppendCell(
        row, "",
        absl::StrCat("<b class=\"warn\">",
                     SizeWords(static_cast<double>(waste.bytes)), "</b>"),
        "num");
    AppendCell(row, "written by", StepHtml(report, waste.step));
    AppendCell(row, "", Text(waste.cause));
    AppendCell(row, "by", StepHtml(report, waste.guilty));
    AppendCell(row, "better:", Text(waste.advice));
    absl::StrAppend(&rows, row, "</tr>\n");
  }
  if (rows.empty()) {
    return "";
  }
  return Table(
      "<th class=\"num\">Bytes</th><th>Written by</th><th>Cause</th>"
      "<th>Made dead by</th><th>Write instead</th>",
      rows);
}

std::string HtmlRewrites(const PlanReport& report) {
  std::string rows;
  for (const backend::ReportRewrite& rewrite : report.rewrites) {
    std::string row = "<tr>";
    AppendCell(row, "", absl::StrCat("<b>", Text(rewrite.pass), "</b>"));
    AppendCell(row, "steps", absl::StrJoin(rewrite.steps, "+"), "nowrap");
    AppendCell(row, "", Text(rewrite.text));
    AppendCell(row, "saves",
               rewrite.saves_bytes > 0
                   ? SizeWords(static_cast<double>(rewrite.saves_bytes))
                   : "",
               "num");
    AppendCell(row, "proof:", Text(rewrite.proof), "soft nowrap");
    absl::StrAppend(&rows, row, "</tr>\n");
  }
  if (rows.empty()) {
    return "";
  }
  return Table(
      "<th>Pass</th><th>Steps</th><th>What</th><th class=\"num\">Saves</th>"
      "<th>Proof</th>",
      rows);
}

}  // namespace lamina::cli
