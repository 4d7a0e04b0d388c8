// The plan as people read it.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "backend/plan.h"
#include "base/text.h"

namespace lamina::backend {

std::string PrintPlan(const Plan& plan) {
  std::string out;
  int number = 0;
  int cached = 0;
  double expected = 0;
  for (const ir::Node& node : plan.graph.nodes) {
    if (std::optional<std::string> gap = UnknownBase(node.op)) {
      absl::StrAppend(&out, *gap, "\n");
    }
  }
  std::string stage;
  for (const Step& step : plan.steps) {
    const ir::Node& node = plan.graph.nodes[step.node];
    if (number == 0 || node.stage != stage) {
      stage = node.stage;
      absl::StrAppend(&out, "stage ", stage, "\n");
    }
    bool is_cached = step.state == StepState::kCached;
    cached += is_cached ? 1 : 0;
    std::string text =
        EscapeControls(node.text.substr(0, node.text.find('\n')));
    if (DisplayWidth(text) > 60) {
      text = absl::StrCat(KeepStart(text, 57), "...");
    }
    size_t pad = 62 - std::min<size_t>(62, DisplayWidth(text));
    absl::StrAppend(&out, absl::StrFormat("%4d  ", ++number), text,
                    std::string(pad, ' '), is_cached ? "cached" : "run");
    if (!is_cached) {
      absl::StrAppend(&out, "     ", step.reason);
      if (step.expected_seconds.has_value()) {
        absl::StrAppendFormat(&out, "  ~%.1fs", *step.expected_seconds);
        expected += *step.expected_seconds;
      }
    }
    out += "\n";
  }
  absl::StrAppend(&out, plan.steps.size() - cached, " of ", plan.steps.size(),
                  " steps run, ", cached, " cached");
  if (expected > 0) {
    absl::StrAppendFormat(&out, "; ~%.1fs expected", expected);
  }
  out += "\n";
  return out;
}

}  // namespace lamina::backend
