// The words that all forms of the plan share: sizes, times, places, titles.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "backend/plan_report.h"

namespace lamina::cli {

// "130.0 MiB"; a negative number has its sign. Rounds to whole bytes.
std::string SizeWords(double bytes);
// "0.4 s", "41 s", "2 min 5 s", "1 h 4 min"
std::string TimeWords(double seconds);

// With `~` where it is no measurement, "?" where it is not known.
std::string SizeWords(const backend::Estimate& estimate);
std::string TimeWords(const backend::Estimate& estimate);

// "8.4 to 9.2 MiB, recorded": the interval and the source; "exact, context"
// for what was measured; empty where nothing is known.
std::string SizeInterval(const backend::Estimate& estimate);
std::string TimeInterval(const backend::Estimate& estimate);

// "12 %"; `share` is 0 to 1.
std::string ShareWords(double share);

absl::string_view StateWord(backend::ReportState state);

// The instruction without its keyword, which is the step's kind. Raw text of
// the build file.
std::string TitleOf(const backend::ReportStep& step);
// "Dockerfile:5"; empty where it is not known.
std::string PlaceOf(const backend::ReportStep& step);

// The step of that number, or null.
const backend::ReportStep* FindStep(
    const std::vector<backend::ReportStep>& steps, int number);

// "1", "5-6", "1-3, 7": the numbers in ascending order.
std::string NumberWords(std::vector<int> numbers);

// "2 → 3 → 8"; a long one has its ends only, and its length.
std::string PathWords(const std::vector<int>& numbers);

// Names of the stages in the order of the file, then those that only steps
// name.
std::vector<backend::ReportStage> StagesOf(
    const backend::PlanReport& report,
    const std::vector<backend::ReportStep>& steps);

// Bytes of the own layers and of the whole image; "?" while unknown.
std::string OwnSizeWords(const backend::PlanReport& report);
std::string ImageSizeWords(const backend::PlanReport& report);

// Decisions between neighbours that were merged for one reason in the same
// words, as one.
struct DecisionGroup {
  backend::ReportDecision decision;  // The first; `before` is the last step.
  int count = 1;
};
std::vector<DecisionGroup> GroupDecisions(const backend::PlanReport& report);
// "2+3", "1+…+50", "4|5"
std::string DecisionWords(const DecisionGroup& group);

// "step 4 deletes them", "step 5 overwrites them", ...
std::string BlameWords(const backend::WasteRow& row);

}  // namespace lamina::cli
