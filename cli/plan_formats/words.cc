#include "cli/plan_formats/words.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace lamina::cli {
namespace {

using backend::Estimate;
using backend::ReportStep;

using Words = std::string (*)(double);

std::string Marked(const Estimate& estimate, Words words) {
  if (!estimate.mean.has_value()) {
    return "?";
  }
  return absl::StrCat(estimate.exact ? "" : "~", words(*estimate.mean));
}

std::string Interval(const Estimate& estimate, Words words) {
  if (!estimate.mean.has_value()) {
    return "";
  }
  std::string text = estimate.exact ? "exact"
                                    : absl::StrCat(words(estimate.low), " to ",
                                                   words(estimate.high));
  if (!estimate.source.empty()) {
    absl::StrAppend(&text, ", ", estimate.source);
  }
  return text;
}

std::string Size(double bytes) { return SizeWords(bytes); }
std::string Time(double seconds) { return TimeWords(seconds); }

// `stored`, as far as the layers' own bytes are known.
Estimate OwnSize(const backend::PlanReport& report) {
  Estimate size = {.mean = static_cast<double>(report.stored), .exact = true};
  for (const backend::ReportLayer& layer : report.layers) {
    size.exact = size.exact && layer.bytes.exact;
    if (!layer.bytes.mean.has_value()) {
      size.mean.reset();
    }
  }
  // A plan without layers says nothing about an image that has steps.
  if (report.layers.empty() && report.stored == 0 && report.run > 0) {
    size.mean.reset();
  }
  return size;
}

}  // namespace

std::string SizeWords(double bytes) {
  return absl::StrCat(
      bytes < 0 ? "-" : "",
      BinarySize(static_cast<uint64_t>(std::llround(std::abs(bytes)))));
}

std::string TimeWords(double seconds) {
  if (seconds > 0 && seconds < 0.0995) {
    return absl::StrFormat("%.0f ms", seconds * 1000);
  }
  if (seconds < 9.95) {
    return absl::StrFormat("%.1f s", seconds);
  }
  const int64_t whole = std::llround(seconds);
  if (whole < 60) {
    return absl::StrCat(whole, " s");
  }
  if (whole < 3600) {
    return absl::StrCat(
        whole / 60, " min",
        whole % 60 != 0 ? absl::StrCat(" ", whole % 60, " s") : "");
  }
  return absl::StrCat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

std::string SizeWords(const Estimate& estimate) {
  return Marked(estimate, Size);
}
std::string TimeWords(const Estimate& estimate) {
  return Marked(estimate, Time);
}
std::string SizeInterval(const Estimate& estimate) {
  return Interval(estimate, Size);
}
std::string TimeInterval(const Estimate& estimate) {
  return Interval(estimate, Time);
}

std::string ShareWords(double share) {
  return absl::StrCat(std::llround(share * 100), " %");
}

absl::string_view StateWord(backend::ReportState state) {
  switch (state) {
    case backend::ReportState::kCached:
      return "cached";
    case backend::ReportState::kRun:
      return "run";
    case backend::ReportState::kSkipped:
      return "skipped";
  }
  return "";
}

std::string TitleOf(const ReportStep& step) {
  absl::string_view text = absl::StripAsciiWhitespace(step.text);
  if (absl::StartsWithIgnoreCase(text, absl::StrCat(step.kind, " "))) {
    text = absl::StripAsciiWhitespace(text.substr(step.kind.size()));
  }
  return std::string(text);
}

std::string PlaceOf(const ReportStep& step) {
  if (step.line == 0) {
    return step.file;
  }
  return absl::StrCat(step.file, ":", step.line);
}

const ReportStep* FindStep(const std::vector<ReportStep>& steps, int number) {
  if (number <= 0) {
    return nullptr;
  }
  auto found = std::find_if(
      steps.begin(), steps.end(),
      [number](const ReportStep& step) { return step.number == number; });
  return found != steps.end() ? &*found : nullptr;
}

std::string NumberWords(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::vector<std::string> parts;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i + 1;
    while (end < numbers.size() && numbers[end] <= numbers[end - 1] + 1) {
      ++end;
    }
    parts.push_back(numbers[i] == numbers[end - 1]
                        ? absl::StrCat(numbers[i])
                        : absl::StrCat(numbers[i], "-", numbers[end - 1]));
    i = end;
  }
  return absl::StrJoin(parts, ", ");
}

std::string PathWords(const std::vector<int>& numbers) {
  constexpr size_t kShown = 14;
  if (numbers.size() <= kShown) {
    return absl::StrJoin(numbers, " → ");
  }
  const std::vector<int> start(numbers.begin(), numbers.begin() + 6);
  const std::vector<int> end(numbers.end() - 3, numbers.end());
  return absl::StrCat(absl::StrJoin(start, " → "), " → … → ",
                      absl::StrJoin(end, " → "), " (", numbers.size(),
                      " steps)");
}

std::vector<backend::ReportStage> StagesOf(
    const backend::PlanReport& report, const std::vector<ReportStep>& steps) {
  std::vector<backend::ReportStage> stages = report.stages;
  std::set<std::string> known;
  for (const backend::ReportStage& stage : stages) {
    known.insert(stage.name);
  }
  for (const ReportStep& step : steps) {
    if (known.insert(step.stage).second) {
      stages.push_back({.name = step.stage});
    }
    if (step.base_inputs.empty() || (!step.on_base && !step.inputs.empty())) {
      continue;
    }
    for (backend::ReportStage& stage : stages) {
      if (stage.name == step.stage && stage.base.empty()) {
        stage.base = step.base_inputs[0];
      }
    }
  }
  return stages;
}

std::string OwnSizeWords(const backend::PlanReport& report) {
  return SizeWords(OwnSize(report));
}

std::string ImageSizeWords(const backend::PlanReport& report) {
  Estimate size = OwnSize(report);
  if (!report.base_bytes.has_value()) {
    return "?";
  }
  if (size.mean.has_value()) {
    *size.mean += static_cast<double>(*report.base_bytes);
  }
  return SizeWords(size);
}

std::vector<DecisionGroup> GroupDecisions(const backend::PlanReport& report) {
  std::vector<DecisionGroup> groups;
  for (const backend::ReportDecision& decision : report.decisions) {
    if (!groups.empty()) {
      backend::ReportDecision& last = groups.back().decision;
      if (!decision.cut && !last.cut && last.before == decision.after &&
          last.reason == decision.reason && last.text == decision.text) {
        last.before = decision.before;
        ++groups.back().count;
        continue;
      }
    }
    groups.push_back({decision, 1});
  }
  return groups;
}

std::string DecisionWords(const DecisionGroup& group) {
  const backend::ReportDecision& decision = group.decision;
  const absl::string_view sign = decision.cut       ? "|"
                                 : group.count == 1 ? "+"
                                                    : "+…+";
  return absl::StrCat(decision.after, sign, decision.before);
}

std::string BlameWords(const backend::WasteRow& row) {
  const std::string step = absl::StrCat("step ", row.guilty);
  if (row.cause == "deleted") {
    return absl::StrCat(step, " deletes them");
  }
  if (row.cause == "overwritten") {
    return absl::StrCat(step, " overwrites them");
  }
  if (row.cause == "metadata") {
    return absl::StrCat(step,
                        " stores them again: only mode, owner or time "
                        "change");
  }
  return absl::StrCat(step, ": ", row.cause);
}

}  // namespace lamina::cli
