// The plan for people at a terminal: steps by stage, then layers, then totals.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "cli/plan_formats/plan_format.h"
#include "cli/plan_formats/text_layers.h"
#include "cli/plan_formats/text_page.h"
#include "cli/plan_formats/words.h"
#include "cli/terminal_text.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;
using backend::ReportStage;
using backend::ReportState;
using backend::ReportStep;

constexpr size_t kSizeWidth = 10;
constexpr size_t kTimeWidth = 13;  // With the gap behind it.
constexpr size_t kStateWidth = 7;
constexpr size_t kNarrowest = 24;  // Columns of an instruction.

// Widths of the columns that depend on what the plan holds.
struct Columns {
  size_t kind = 4;
  size_t text = 0;
  size_t reason = 0;
  bool stacked = false;  // Too narrow for columns.
  size_t text_start() const { return kind + 8; }
};

Ink InkOf(ReportState state) {
  switch (state) {
    case ReportState::kCached:
      return Ink::kGood;
    case ReportState::kRun:
      return Ink::kBusy;
    case ReportState::kSkipped:
      return Ink::kFaint;
  }
  return Ink::kPlain;
}

std::string TextOf(const ReportStep& step) {
  std::string text = TitleOf(step);
  if (!step.details.empty()) {
    absl::StrAppend(&text, "  ", absl::StrJoin(step.details, ", "));
  }
  if (step.fused) {
    absl::StrAppend(&text, "  fused with the step before");
  }
  return text;
}

Columns Measure(const PlanReport& report, size_t width) {
  Columns columns;
  size_t widest = 24;
  size_t reason = 0;
  for (const ReportStep& step : report.steps) {
    columns.kind = std::max(columns.kind, step.kind.size());
    widest = std::max(widest, DisplayWidth(TextOf(step)));
    reason = std::max(reason, DisplayWidth(step.reason));
  }
  columns.kind = std::min<size_t>(columns.kind, 8);
  const size_t fixed =
      columns.text_start() + kSizeWidth + kStateWidth + kTimeWidth + 6;
  const size_t room = width > fixed ? width - fixed : 0;
  if (room < kNarrowest) {
    columns.stacked = true;
    columns.text = kNarrowest;
    return columns;
  }
  // Reasons take what the instructions leave, a third in any case.
  const size_t left = room > widest + 2 ? room - widest - 2 : 0;
  columns.reason = std::min(reason, std::max(room / 3, left));
  if (columns.reason < 8) {
    columns.reason = 0;  // They get lines of their own.
  }
  columns.text =
      std::min(widest, room - (columns.reason == 0 ? 0 : columns.reason + 2));
  return columns;
}

void AddStage(const ReportStage& stage, const Columns& columns,
              TextPage& page) {
  const std::string name =
      MarginLabel(stage.name.empty() ? "image" : stage.name);
  const size_t state_start =
      columns.text_start() + columns.text + kSizeWidth + 4;
  std::string base = stage.base_state.empty() && !stage.base.empty()
                         ? absl::StrCat("from ", stage.base)
                         : stage.base;
  const size_t room = state_start > DisplayWidth(name) + 2
                          ? state_start - DisplayWidth(name) - 2
                          : 0;
  page.Add({{name, Ink::kStrong},
            {PadRight(base, room + 2)},
            {stage.base_state,
             stage.base_state == "cached" ? Ink::kGood : Ink::kBusy}});
}

void AddDetails(const ReportStep& step, const Columns& columns,
                TextPage& page) {
  std::vector<std::string> facts;
  if (std::string size = SizeInterval(step.bytes); !size.empty()) {
    facts.push_back(absl::StrCat("size ", size));
  }
  if (std::string time = TimeInterval(step.seconds); !time.empty()) {
    facts.push_back(absl::StrCat("time ", time));
  }
  if (std::string place = PlaceOf(step); !place.empty()) {
    facts.push_back(place);
  }
  for (const std::string& network : step.network) {
    facts.push_back(network);
  }
  if (!step.key.empty()) {
    facts.push_back(step.key);
  }
  page.AddParagraph(columns.text_start(), absl::StrJoin(facts, " · "),
                    Ink::kFaint);
}

// Where there is no room for columns: the instruction, then its facts below.
void AddStacked(const ReportStep& step, const Line& front,
                const Columns& columns, TextPage& page) {
  Line line = front;
  line.push_back({TextOf(step)});
  page.Add(line);
  std::vector<std::string> facts = {std::string(StateWord(step.state))};
  if (step.state != ReportState::kSkipped) {
    facts.push_back(SizeWords(step.bytes));
  }
  if (step.state == ReportState::kRun) {
    facts.push_back(TimeWords(step.seconds));
  }
  if (!step.reason.empty()) {
    facts.push_back(step.reason);
  }
  page.AddParagraph(columns.text_start(), absl::StrJoin(facts, " · "),
                    InkOf(step.state));
}

void AddRow(const ReportStep& step, Line line, const Columns& columns,
            TextPage& page) {
  const bool skipped = step.state == ReportState::kSkipped;
  const bool fits = DisplayWidth(step.reason) <= columns.reason;
  line.push_back(
      {PadRight(CutToWidth(TextOf(step), columns.text, true), columns.text),
       skipped ? Ink::kFaint : Ink::kPlain});
  line.push_back(
      {PadLeft(skipped ? "" : SizeWords(step.bytes), kSizeWidth + 2)});
  line.push_back({"  "});
  line.push_back({PadRight(std::string(StateWord(step.state)), kStateWidth),
                  InkOf(step.state)});
  line.push_back({absl::StrCat(
      "  ",
      PadRight(step.state == ReportState::kRun ? TimeWords(step.seconds) : "",
               kTimeWidth))});
  line.push_back({fits ? step.reason : "", Ink::kFaint});
  page.Add(line);
  if (!fits) {
    page.AddParagraph(columns.text_start(), step.reason, Ink::kFaint);
  }
}

void AddStep(const ReportStep& step, const Columns& columns, bool verbose,
             TextPage& page) {
  const Line front = {
      {PadLeft(step.number > 0 ? absl::StrCat(step.number) : "–", 4)},
      {absl::StrCat("  ",
                    PadRight(std::string(KeepStart(step.kind, columns.kind)),
                             columns.kind),
                    "  ")}};
  if (columns.stacked) {
    AddStacked(step, front, columns, page);
  } else {
    AddRow(step, front, columns, page);
  }
  if (verbose) {
    AddDetails(step, columns, page);
  }
}

std::vector<const ReportStep*> StepsOf(const PlanReport& report,
                                       absl::string_view stage) {
  std::vector<const ReportStep*> steps;
  for (const ReportStep& step : report.steps) {
    if (step.stage == stage) {
      steps.push_back(&step);
    }
  }
  return steps;
}

void AddSteps(const PlanReport& report, bool verbose, TextPage& page) {
  const Columns columns = Measure(report, page.width());
  for (const ReportStage& stage : StagesOf(report, report.steps)) {
    const std::vector<const ReportStep*> steps = StepsOf(report, stage.name);
    const bool needless =
        !steps.empty() &&
        std::all_of(steps.begin(), steps.end(), [](const ReportStep* step) {
          return step->state == ReportState::kSkipped;
        });
    if (needless && !verbose) {
      page.Add(
          {{MarginLabel(stage.name), Ink::kStrong},
           {absl::StrCat(steps.size(), steps.size() == 1 ? " step" : " steps",
                         " skipped  ", steps[0]->reason),
            Ink::kFaint}});
      continue;
    }
    AddStage(stage, columns, page);
    for (const ReportStep* step : steps) {
      AddStep(*step, columns, verbose, page);
    }
  }
}

void AddHeader(const PlanReport& report, TextPage& page) {
  std::vector<std::string> parts = {report.file, report.platform};
  if (!report.level.empty()) {
    parts.push_back(absl::StrCat("-", report.level));
  }
  if (!report.target.empty()) {
    parts.push_back(absl::StrCat("target ", report.target));
  }
  if (!report.lock.empty()) {
    parts.push_back(absl::StrCat("lock ", report.lock));
  }
  page.Add({{absl::StrJoin(parts, " · "), Ink::kStrong}});
}

void AddResult(const PlanReport& report, TextPage& page) {
  const std::string own = OwnSizeWords(report);
  std::vector<std::string> parts = {
      absl::StrCat(ImageSizeWords(report), ", own ", own),
      absl::StrCat(report.run, " of ", report.run + report.cached,
                   " steps run"),
      TimeWords(report.seconds),
      absl::StrCat("network: pull ", report.pulls ? "yes" : "no", ", run ",
                   report.network ? "yes" : "no")};
  page.AddParts("result", parts, " · ");
  if (!report.critical_path.empty()) {
    std::string path =
        absl::StrCat("longest path ", PathWords(report.critical_path));
    if (std::string interval = TimeInterval(report.seconds);
        !interval.empty()) {
      absl::StrAppend(&path, " · ", interval);
    }
    if (report.jobs > 0) {
      absl::StrAppend(&path, " · ", report.jobs, " at once");
    }
    page.AddParts("time", {path}, "");
  }
}

std::string Print(const PlanReport& report, const PlanPrintOptions& options) {
  TextPage page(options);
  AddHeader(report, page);
  AddSteps(report, options.verbose, page);
  page.AddParts("unknown", report.unknown, " · ");
  AddLayers(report, options.verbose, page);
  AddResult(report, page);
  return page.Take();
}

}  // namespace

constinit const PlanFormat kPlanText = {
    .name = "text",
    .summary = "lines for a terminal",
    .print = Print,
};

}  // namespace lamina::cli
