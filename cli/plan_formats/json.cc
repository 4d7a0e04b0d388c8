// plan.v1: every fact of the report under stable keys (cli.md 9). Unknown
// numbers are null. A skipped step has no id.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "cli/plan_formats/plan_format.h"
#include "cli/plan_formats/words.h"

namespace lamina::cli {
namespace {

using backend::Estimate;
using backend::PlanReport;
using backend::ReportStep;

Json Integer(int64_t value) { return Json(value); }
Json Bytes(uint64_t value) { return Json(static_cast<int64_t>(value)); }

// Bytes are whole, seconds have milliseconds; both lose what nobody measured.
Json Rounded(double value, double unit) {
  const double rounded = std::round(value / unit) * unit;
  if (unit == 1 || rounded == std::floor(rounded)) {
    return Json(static_cast<int64_t>(std::llround(value)));
  }
  return Json(std::round(value * 1000) / 1000);
}

Json Interval(const Estimate& estimate, double unit) {
  if (!estimate.mean.has_value()) {
    return {};
  }
  Json list = Json::Array();
  for (double value : {estimate.low, *estimate.mean, estimate.high}) {
    list.Append(Rounded(value, unit));
  }
  return list;
}
Json ByteInterval(const Estimate& estimate) { return Interval(estimate, 1); }
Json SecondInterval(const Estimate& estimate) {
  return Interval(estimate, 0.001);
}

Json Integers(const std::vector<int>& values) {
  Json list = Json::Array();
  for (int value : values) {
    list.Append(Integer(value));
  }
  return list;
}

Json Place(int line, int column) { return Integers({line, column}); }

Json SourceOf(const ReportStep& step) {
  Json source = Json::Object();
  source.Set("file", step.file);
  source.Set("start", Place(step.line, step.column));
  source.Set("end", Place(step.end_line, step.end_column));
  return source;
}

Json ReasonOf(const ReportStep& step) {
  if (step.reason_code.empty() && step.reason.empty()) {
    return {};
  }
  Json reason = Json::Object();
  reason.Set("code", step.reason_code);
  reason.Set("text", step.reason);
  if (step.reason_step > 0) {
    reason.Set("node", Integer(step.reason_step));
  }
  return reason;
}

Json KeyOf(const ReportStep& step) {
  if (step.key.empty() && step.op_key.empty()) {
    return {};
  }
  Json key = Json::Object();
  key.Set("inputs", Json::Strings(step.input_keys));
  key.Set("op", step.op_key.empty() ? Json() : Json(step.op_key));
  key.Set("step", step.key.empty() ? Json() : Json(step.key));
  return key;
}

Json EstimateOf(const ReportStep& step) {
  Json estimate = Json::Object();
  estimate.Set("seconds", SecondInterval(step.seconds));
  estimate.Set("bytes", ByteInterval(step.bytes));
  // One word for readers of the first version; the two sources may differ.
  estimate.Set("from", step.seconds.mean.has_value() ? step.seconds.source
                                                     : step.bytes.source);
  estimate.Set("seconds_from", step.seconds.source);
  estimate.Set("bytes_from", step.bytes.source);
  estimate.Set("bytes_exact", step.bytes.exact);
  return estimate;
}

Json NodeOf(const ReportStep& step) {
  Json node = Json::Object();
  node.Set("id", step.number > 0 ? Integer(step.number) : Json());
  node.Set("kind", step.kind);
  node.Set("name", TitleOf(step));
  node.Set("stage", step.stage);
  node.Set("inputs", Integers(step.inputs));
  node.Set("input_labels", Json::Strings(step.input_labels));
  node.Set("bases", Json::Strings(step.base_inputs));
  node.Set("details", Json::Strings(step.details));
  node.Set("source", SourceOf(step));
  node.Set("state", std::string(StateWord(step.state)));
  node.Set("reason", ReasonOf(step));
  node.Set("key", KeyOf(step));
  node.Set("estimate", EstimateOf(step));
  node.Set("layer", step.layer >= 0 ? Integer(step.layer) : Json());
  node.Set("fused", step.fused);
  node.Set("network", Json::Strings(step.network));
  return node;
}

Json WrittenOf(const ReportStep& step) {
  Json node = Json::Object();
  node.Set("id", Integer(step.number));
  node.Set("kind", step.kind);
  node.Set("name", TitleOf(step));
  node.Set("stage", step.stage);
  node.Set("inputs", Integers(step.inputs));
  node.Set("source", SourceOf(step));
  node.Set("became", step.became > 0 ? Integer(step.became) : Json());
  return node;
}

Json LayersOf(const PlanReport& report) {
  Json list = Json::Array();
  for (const backend::ReportLayer& layer : report.layers) {
    Json entry = Json::Object();
    entry.Set("nodes", Integers(layer.steps));
    entry.Set("name", layer.instruction);
    entry.Set("bytes", ByteInterval(layer.bytes));
    entry.Set("dead_bytes", Bytes(layer.dead_bytes));
    entry.Set("changed", Rounded(layer.changed, 0.001));
    entry.Set("why", layer.why);
    list.Append(std::move(entry));
  }
  return list;
}

Json DecisionsOf(const PlanReport& report) {
  Json list = Json::Array();
  for (const backend::ReportDecision& decision : report.decisions) {
    Json entry = Json::Object();
    entry.Set("after", Integer(decision.after));
    entry.Set("before", Integer(decision.before));
    entry.Set("cut", decision.cut);
    entry.Set("reason", decision.reason);
    entry.Set("text", decision.text);
    entry.Set("saves_bytes", Json(decision.saves_bytes));
    list.Append(std::move(entry));
  }
  return list;
}

Json RewritesOf(const PlanReport& report) {
  Json list = Json::Array();
  for (const backend::ReportRewrite& rewrite : report.rewrites) {
    Json entry = Json::Object();
    entry.Set("pass", rewrite.pass);
    entry.Set("nodes", Integers(rewrite.steps));
    entry.Set("text", rewrite.text);
    entry.Set("saves_bytes", Json(rewrite.saves_bytes));
    entry.Set("proof", rewrite.proof);
    list.Append(std::move(entry));
  }
  return list;
}

Json CurveOf(const PlanReport& report) {
  Json points = Json::Array();
  for (const ir::CurvePoint& point : report.curve) {
    Json entry = Json::Object();
    entry.Set("layers", Integer(point.layers));
    entry.Set("cost", Json(point.cost));
    entry.Set("stored", Bytes(point.stored));
    entry.Set("update", Bytes(point.update));
    points.Append(std::move(entry));
  }
  Json curve = Json::Object();
  curve.Set("points", std::move(points));
  curve.Set("knee", Integer(report.knee));
  curve.Set("chosen", Integer(report.chosen_layers));
  curve.Set("weights_from", report.epochs_source);
  return curve;
}

Json LimitsOf(const PlanReport& report) {
  Json runtimes = Json::Array();
  for (const backend::RuntimeFit& fit : report.fits) {
    Json entry = Json::Object();
    entry.Set("name", fit.runtime);
    entry.Set("limit", Integer(fit.limit));
    entry.Set("fits", fit.fits);
    entry.Set("note", fit.note);
    runtimes.Append(std::move(entry));
  }
  Json limits = Json::Object();
  limits.Set("base", Integer(report.base_layers));
  limits.Set("own", Integer(report.chosen_layers));
  limits.Set("own_verbatim", Integer(report.verbatim_layers));
  limits.Set("max", report.limit > 0 ? Integer(report.limit) : Json());
  limits.Set("name", report.limit_name);
  limits.Set("runtimes", std::move(runtimes));
  return limits;
}

Json SizesOf(const PlanReport& report) {
  Json sizes = Json::Object();
  sizes.Set("base",
            report.base_bytes.has_value() ? Bytes(*report.base_bytes) : Json());
  auto set = [&](absl::string_view name, uint64_t bytes) {
    sizes.Set(name, report.sizes_known ? Bytes(bytes) : Json());
  };
  set("stored", report.stored);
  set("stored_verbatim", report.verbatim_stored);
  set("update", report.update);
  set("update_verbatim", report.verbatim_update);
  return sizes;
}

Json WasteOf(const PlanReport& report) {
  Json list = Json::Array();
  for (const backend::WasteRow& row : report.waste) {
    Json entry = Json::Object();
    entry.Set("node", Integer(row.step));
    entry.Set("guilty", Integer(row.guilty));
    entry.Set("cause", row.cause);
    entry.Set("bytes", Bytes(row.bytes));
    entry.Set("advice", row.advice);
    list.Append(std::move(entry));
  }
  return list;
}

Json StagesList(const PlanReport& report) {
  Json list = Json::Array();
  for (const backend::ReportStage& stage : StagesOf(report, report.steps)) {
    Json entry = Json::Object();
    entry.Set("name", stage.name);
    entry.Set("base", stage.base);
    entry.Set("base_state", stage.base_state);
    list.Append(std::move(entry));
  }
  return list;
}

Json ResultOf(const PlanReport& report) {
  Json result = Json::Object();
  result.Set("run", Integer(report.run));
  result.Set("cached", Integer(report.cached));
  result.Set("skipped", Integer(report.skipped));
  result.Set("seconds", SecondInterval(report.seconds));
  result.Set("seconds_from", report.seconds.source);
  result.Set("jobs", report.jobs > 0 ? Integer(report.jobs) : Json());
  result.Set("critical_path", Integers(report.critical_path));
  return result;
}

Json LastBuildOf(const PlanReport& report) {
  if (report.timeline.empty()) {
    return {};
  }
  Json steps = Json::Array();
  for (const backend::TimelineRow& row : report.timeline) {
    Json entry = Json::Object();
    entry.Set("node", row.step > 0 ? Integer(row.step) : Json());
    entry.Set("stage", row.stage);
    entry.Set("name", row.text);
    entry.Set("state", row.state);
    entry.Set("start", Rounded(row.start, 0.001));
    entry.Set("seconds", Rounded(row.seconds, 0.001));
    steps.Append(std::move(entry));
  }
  Json build = Json::Object();
  build.Set("started", report.timeline_build);
  build.Set("steps", std::move(steps));
  return build;
}

Json HeadOf(const PlanReport& report) {
  Json json = Json::Object();
  json.Set("version", Integer(1));
  Json definition = Json::Object();
  definition.Set("file", report.file);
  definition.Set("digest", report.digest);
  json.Set("definition", std::move(definition));
  json.Set("platform", report.platform);
  json.Set("level", report.level);
  json.Set("target", report.target);
  json.Set("lock", report.lock);
  json.Set("unknown", Json::Strings(report.unknown));
  Json network = Json::Object();
  network.Set("pull", report.pulls);
  network.Set("run", report.network);
  json.Set("network", std::move(network));
  return json;
}

std::string Print(const PlanReport& report, const PlanPrintOptions&) {
  Json json = HeadOf(report);
  Json nodes = Json::Array();
  for (const ReportStep& step : report.steps) {
    nodes.Append(NodeOf(step));
  }
  Json written = Json::Array();
  for (const ReportStep& step : report.before) {
    written.Append(WrittenOf(step));
  }
  json.Set("nodes", std::move(nodes));
  json.Set("written", std::move(written));
  json.Set("stages", StagesList(report));
  json.Set("layers", LayersOf(report));
  json.Set("decisions", DecisionsOf(report));
  json.Set("rewrites", RewritesOf(report));
  json.Set("cost", CurveOf(report));
  json.Set("limits", LimitsOf(report));
  json.Set("sizes", SizesOf(report));
  json.Set("waste", WasteOf(report));
  json.Set("result", ResultOf(report));
  json.Set("last_build", LastBuildOf(report));
  return absl::StrCat(PrintJson(json), "\n");
}

}  // namespace

constinit const PlanFormat kPlanJson = {
    .name = "json",
    .summary = "one document, plan.v1, for programs",
    .print = Print,
};

}  // namespace lamina::cli
