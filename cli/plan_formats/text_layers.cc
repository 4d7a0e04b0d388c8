#include "cli/plan_formats/text_layers.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::PlanReport;
using backend::ReportLayer;

constexpr size_t kRows = 12;

// The number of rows to show of `count`; hiding a single one is no gain.
size_t Shown(size_t count, bool verbose) {
  return verbose || count <= kRows + 1 ? count : kRows;
}

void AddRest(size_t count, size_t shown, TextPage& page) {
  if (count > shown) {
    page.Add({{MarginLabel("")},
              {absl::StrCat("… and ", count - shown, " more (-v shows all)"),
               Ink::kFaint}});
  }
}

void AddLayer(const ReportLayer& layer, size_t number, bool verbose,
              TextPage& page) {
  page.Add({{PadLeft(absl::StrCat(number), 4)},
            {PadLeft(SizeWords(layer.bytes), 12)},
            {PadLeft(ShareWords(layer.changed), 7)},
            {"  "},
            {layer.instruction}});
  if (!verbose) {
    return;
  }
  std::vector<std::string> facts = {absl::StrCat(
      layer.steps.size() == 1 ? "step " : "steps ", NumberWords(layer.steps))};
  if (layer.dead_bytes > 0) {
    facts.push_back(absl::StrCat(SizeWords(layer.dead_bytes), " dead"));
  }
  if (std::string size = SizeInterval(layer.bytes); !size.empty()) {
    facts.push_back(size);
  }
  if (!layer.why.empty()) {
    facts.push_back(layer.why);
  }
  page.AddParagraph(25, absl::StrJoin(facts, " · "), Ink::kFaint);
}

void AddTotals(const PlanReport& report, TextPage& page) {
  std::vector<std::string> parts = {absl::StrCat(
      report.verbatim_layers,
      report.verbatim_layers == 1 ? " layer" : " layers", " → ",
      report.chosen_layers, " own + ", report.base_layers, " base")};
  if (report.limit > 0) {
    parts.push_back(
        absl::StrCat("limit ", report.limit, " ", report.limit_name));
  }
  if (report.stored > 0 || report.verbatim_stored > 0) {
    parts.push_back(absl::StrCat("stored ", OwnSizeWords(report), " (verbatim ",
                                 SizeWords(report.verbatim_stored), ")"));
    parts.push_back(absl::StrCat("per update ", SizeWords(report.update), " (",
                                 SizeWords(report.verbatim_update), ")"));
  }
  page.AddParts("layers", parts, " · ");
}

// What was decided the one way or the other, in the order of the chain.
std::vector<DecisionGroup> Decided(const PlanReport& report, bool cut) {
  std::vector<DecisionGroup> groups = GroupDecisions(report);
  groups.erase(std::remove_if(groups.begin(), groups.end(),
                              [cut](const DecisionGroup& group) {
                                return group.decision.cut != cut;
                              }),
               groups.end());
  return groups;
}

void AddMerges(const PlanReport& report, bool verbose, TextPage& page) {
  const std::vector<DecisionGroup> merges = Decided(report, false);
  const size_t shown = Shown(merges.size(), verbose);
  size_t widest = 4;
  for (size_t i = 0; i < shown; ++i) {
    widest = std::max(widest, DisplayWidth(DecisionWords(merges[i])) + 1);
  }
  for (size_t i = 0; i < shown; ++i) {
    const backend::ReportDecision& merge = merges[i].decision;
    page.AddHanging({{MarginLabel(i == 0 ? "merged" : "")},
                     {PadRight(DecisionWords(merges[i]), widest)},
                     {PadRight(merge.reason, 12), Ink::kStrong},
                     {"  "}},
                    merge.text.empty()
                        ? absl::StrCat("saves ", SizeWords(merge.saves_bytes))
                        : merge.text);
  }
  AddRest(merges.size(), shown, page);
}

void AddCuts(const PlanReport& report, bool verbose, TextPage& page) {
  const std::vector<DecisionGroup> cuts = Decided(report, true);
  const size_t shown = Shown(cuts.size(), verbose);
  for (size_t i = 0; i < shown; ++i) {
    const backend::ReportDecision& cut = cuts[i].decision;
    page.AddHanging({{MarginLabel(i == 0 ? "cut" : "")},
                     {absl::StrCat(DecisionWords(cuts[i]), " ")}},
                    cut.text.empty() ? cut.reason : cut.text);
  }
  AddRest(cuts.size(), shown, page);
}

// Positions in the curve: all, or the ends and what stands around the choice
// and the knee.
std::set<size_t> PointsToShow(const PlanReport& report, bool verbose) {
  std::set<size_t> points;
  for (size_t i = 0; i < report.curve.size(); ++i) {
    const int layers = report.curve[i].layers;
    const bool near = std::abs(layers - report.chosen_layers) <= 2 ||
                      std::abs(layers - report.knee) <= 1;
    if (verbose || report.curve.size() <= kRows || i == 0 ||
        i + 1 == report.curve.size() || near) {
      points.insert(i);
    }
  }
  return points;
}

void AddCurve(const PlanReport& report, bool verbose, TextPage& page) {
  if (report.curve.size() < 2) {
    return;
  }
  int64_t greatest = 0;
  for (const ir::CurvePoint& point : report.curve) {
    greatest = std::max(greatest, point.cost);
  }
  // One unit for the whole line, or it could not be compared at a glance.
  const bool mebi = greatest >= 1 << 20;
  std::vector<std::string> parts;
  size_t next = 0;
  for (size_t i : PointsToShow(report, verbose)) {
    const ir::CurvePoint& point = report.curve[i];
    parts.push_back(absl::StrFormat(
        "%s%d: %.1f%s", i > next ? "…  " : "", point.layers,
        static_cast<double>(point.cost) / (mebi ? 1 << 20 : 1 << 10),
        point.layers == report.chosen_layers ? " *" : ""));
    next = i + 1;
  }
  parts.push_back(mebi ? "MiB" : "KiB");
  if (report.knee > 0) {
    parts.push_back(absl::StrCat("    knee ", report.knee));
  }
  page.AddParts("cost(k)", parts, "  ");
  if (verbose && !report.epochs_source.empty()) {
    page.AddParts("", {absl::StrCat("weights from ", report.epochs_source)},
                  "");
  }
}

void AddFits(const PlanReport& report, TextPage& page) {
  std::vector<std::string> parts;
  for (const backend::RuntimeFit& fit : report.fits) {
    parts.push_back(absl::StrCat(
        fit.runtime, " ", fit.limit, fit.fits ? " ok" : " NO",
        fit.note.empty() ? "" : absl::StrCat(" (", fit.note, ")")));
  }
  page.AddParts("loads in", parts, " · ");
}

void AddSavings(const PlanReport& report, bool verbose, TextPage& page) {
  const size_t shown = Shown(report.waste.size(), verbose);
  for (size_t i = 0; i < shown; ++i) {
    const backend::WasteRow& row = report.waste[i];
    const backend::ReportStep* step = FindStep(report.steps, row.step);
    const std::string place = step != nullptr ? PlaceOf(*step) : "";
    page.AddHanging(
        {{MarginLabel(i == 0 ? "savings" : "")},
         {absl::StrCat(SizeWords(row.bytes), " ")}},
        absl::StrCat(
            place.empty() ? absl::StrCat("step ", row.step) : place, " ",
            row.advice,
            row.guilty > 0 ? absl::StrCat(" (", BlameWords(row), ")") : ""));
  }
  AddRest(report.waste.size(), shown, page);
}

void AddRewrites(const PlanReport& report, TextPage& page) {
  std::vector<std::string> parts;
  for (const backend::ReportRewrite& rewrite : report.rewrites) {
    std::string part = rewrite.pass;
    if (!rewrite.steps.empty()) {
      absl::StrAppend(&part, " ", absl::StrJoin(rewrite.steps, "+"));
    }
    std::vector<std::string> notes;
    if (!rewrite.text.empty()) {
      notes.push_back(rewrite.text);
    }
    if (rewrite.saves_bytes > 0) {
      notes.push_back(absl::StrCat("saves ", SizeWords(rewrite.saves_bytes)));
    }
    if (!notes.empty()) {
      absl::StrAppend(&part, " (", absl::StrJoin(notes, ", "), ")");
    }
    parts.push_back(std::move(part));
  }
  page.AddParts("rewrites", parts, " · ");
}

}  // namespace

void AddLayers(const PlanReport& report, bool verbose, TextPage& page) {
  AddTotals(report, page);
  const size_t shown = Shown(report.layers.size(), verbose);
  for (size_t i = 0; i < shown; ++i) {
    AddLayer(report.layers[i], i + 1, verbose, page);
  }
  AddRest(report.layers.size(), shown, page);
  AddMerges(report, verbose, page);
  AddCuts(report, verbose, page);
  AddCurve(report, verbose, page);
  AddFits(report, page);
  AddSavings(report, verbose, page);
  AddRewrites(report, page);
}

}  // namespace lamina::cli
