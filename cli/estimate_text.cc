#include "cli/estimate_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "cli/plan_formats/text_page.h"
#include "cli/plan_formats/words.h"
#include "cli/terminal_text.h"

namespace lamina::cli {
namespace {

using backend::BuildForecast;
using backend::Estimate;
using backend::EstimateFigures;
using backend::StepForecast;

constexpr size_t kNumber = 12;

bool WasPredicted(const StepForecast& step) {
  return step.bytes.mean.has_value() || step.seconds.mean.has_value();
}

Ink InkOf(const Estimate& predicted, const std::optional<double>& measured) {
  if (!predicted.mean.has_value() || !measured.has_value()) {
    return Ink::kFaint;
  }
  return *measured >= predicted.low && *measured <= predicted.high ? Ink::kGood
                                                                   : Ink::kBusy;
}

void AddRow(absl::string_view number, absl::string_view text,
            const StepForecast& step, TextPage& page) {
  const size_t fixed = 6 + 4 * (kNumber + 1);
  const size_t room = page.width() > fixed + 8 ? page.width() - fixed - 2 : 8;
  const size_t wide = std::min<size_t>(room, 50);
  auto measured_size = step.measured_bytes.has_value()
                           ? SizeWords(*step.measured_bytes)
                           : std::string("?");
  auto measured_time = step.measured_seconds.has_value()
                           ? TimeWords(*step.measured_seconds)
                           : std::string("?");
  page.Add({{PadLeft(std::string(number), 4)},
            {"  "},
            {PadRight(CutToWidth(VisibleLine(text), wide, true), wide)},
            {PadLeft(SizeWords(step.bytes), kNumber + 1)},
            {PadLeft(measured_size, kNumber + 1),
             InkOf(step.bytes, step.measured_bytes)},
            {PadLeft(TimeWords(step.seconds), kNumber + 1)},
            {PadLeft(measured_time, kNumber + 1),
             InkOf(step.seconds, step.measured_seconds)}});
}

// Adds one prediction to a sum, which is unknown as soon as one part is.
void AddTo(const Estimate& part, const std::optional<double>& measured,
           Estimate& sum, std::optional<double>& measured_sum) {
  if (!part.mean.has_value() || !measured.has_value()) {
    return;  // Both sides must sum over the same steps.
  }
  sum.mean = sum.mean.value_or(0) + *part.mean;
  sum.low += part.low;
  sum.high += part.high;
  sum.exact = sum.exact && part.exact;
  measured_sum = measured_sum.value_or(0) + *measured;
}

StepForecast SumOf(const BuildForecast& build) {
  StepForecast sum;
  sum.bytes.exact = sum.seconds.exact = true;
  for (const StepForecast& step : build.steps) {
    AddTo(step.bytes, step.measured_bytes, sum.bytes, sum.measured_bytes);
    AddTo(step.seconds, step.measured_seconds, sum.seconds,
          sum.measured_seconds);
  }
  return sum;
}

void AddFigures(absl::string_view label, const EstimateFigures& figures,
                TextPage& page) {
  if (figures.count == 0) {
    return;
  }
  std::vector<std::string> parts;
  if (figures.mape.has_value()) {
    parts.push_back(absl::StrCat("off by ", ShareWords(*figures.mape)));
  }
  if (figures.bias.has_value()) {
    parts.push_back(absl::StrFormat("bias %+.0f %%", *figures.bias * 100));
  }
  if (figures.rank.has_value()) {
    parts.push_back(absl::StrFormat("rank correlation %.2f", *figures.rank));
  }
  if (figures.inside.has_value()) {
    parts.push_back(absl::StrCat(ShareWords(*figures.inside),
                                 " inside P10-P90 (80 % is right)"));
  }
  parts.push_back(
      absl::StrCat(figures.count, figures.count == 1 ? " step" : " steps"));
  page.AddParts(label, parts, " · ");
}

}  // namespace

std::string PrintEstimateReport(const BuildForecast& build,
                                const backend::EstimateError& over,
                                const PlanPrintOptions& options) {
  if (std::none_of(build.steps.begin(), build.steps.end(), WasPredicted)) {
    return "";
  }
  TextPage page(options);
  page.Add({{"estimates, each beside what was measured", Ink::kStrong}});
  for (const StepForecast& step : build.steps) {
    if (WasPredicted(step)) {
      AddRow(absl::StrCat(step.step), step.text, step, page);
    }
  }
  AddRow("", "sum of what was predicted", SumOf(build), page);
  if (build.same_layers.has_value()) {
    page.AddParts("layers",
                  {*build.same_layers ? "as predicted" : "not as predicted",
                   absl::StrCat(over.same_layer_lists, " of ", over.layer_lists,
                                " builds")},
                  " · ");
  }
  if (over.builds > 1) {
    page.AddParts("over", {absl::StrCat("the last ", over.builds, " builds")},
                  "");
  }
  AddFigures("sizes", over.bytes, page);
  AddFigures("times", over.seconds, page);
  return page.Take();
}

}  // namespace lamina::cli
