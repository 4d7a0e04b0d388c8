#include "cli/build_outcome.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/estimate_text.h"
#include "cli/terminal_text.h"

namespace lamina::cli {
namespace {

void Print(const Diagnostics& diagnostics, const BuildInput& input) {
  std::string text = Render(diagnostics, input.source, input.render);
  fwrite(text.data(), 1, text.size(), stderr);
}

absl::StatusOr<size_t> BaseLayers(const backend::Plan& plan,
                                  backend::Store& store) {
  backend::TargetChain chain =
      backend::FindChain(plan.graph, plan.graph.targets[0]);
  ASSIGN_OR_RETURN(backend::NodeResult base,
                   backend::BaseResult(plan.graph.nodes[chain.base].op,
                                       plan.options, &store));
  return base.layers.size();
}

// The layers of the layout, and what one layer a step would have been.
std::string LayersText(const backend::BuildResult& result) {
  const backend::ExportedLayers& exported = result.exported;
  size_t steps = std::count_if(
      result.steps.begin(), result.steps.end(),
      [](const auto& step) { return step.own && !step.diff.empty(); });
  // Nothing to tell where each step has its layer.
  if (!exported.layout.has_value() || exported.own.size() == steps) {
    return "";
  }
  const ir::Layout& layout = *exported.layout;
  std::string text = absl::StrCat(exported.own.size(),
                                  exported.own.size() == 1 ? " layer, "
                                                           : " layers, ",
                                  BinarySize(layout.stored));
  if (layout.verbatim_stored > layout.stored) {
    absl::StrAppend(&text, " (",
                    BinarySize(layout.verbatim_stored - layout.stored),
                    " less than one layer a step)");
  }
  return absl::StrCat(text, ", equal to the steps\n");
}

std::string MismatchText(const backend::ExportedLayers& exported) {
  std::string text =
      "warning: the merged layers did not give the tree of the steps; the "
      "image has one layer a step instead. This is a mistake of lamina, please "
      "report it with these lines:\n";
  for (const ir::TreeDifference& difference : exported.mismatch) {
    absl::StrAppend(&text, "  /", EscapeControls(difference.path), ": ",
                    difference.field, " ", EscapeControls(difference.first),
                    " in the steps, ", EscapeControls(difference.second),
                    " in the layers\n");
  }
  return text;
}

// What is worth a look: less is noise.
constexpr double kTellSeconds = 1;
constexpr double kTellBytes = 1 << 20;

// The last builds of the target, this one included.
backend::EstimateError MeasureError(const Planning& planning,
                                    const backend::BuildDocument& build) {
  std::vector<backend::BuildForecast> forecasts;
  size_t earlier =
      std::min(planning.builds.size(), backend::kForecastBuilds - 1);
  for (size_t i = earlier; i-- > 0;) {
    forecasts.push_back(backend::ReadForecast(planning.builds[i]));
  }
  forecasts.push_back(backend::ReadForecast(build));
  return backend::MeasureEstimates(forecasts);
}

std::string EstimateText(const Planning& planning,
                         const backend::BuildDocument& build) {
  backend::BuildForecast forecast = backend::ReadForecast(build);
  double seconds = 0;
  double bytes = 0;
  for (const backend::StepForecast& step : forecast.steps) {
    seconds += std::max(step.seconds.mean.value_or(0),
                        step.seconds.mean.has_value() ? *step.measured_seconds
                                                      : 0);
    bytes += step.bytes.exact ? 0 : step.bytes.mean.value_or(0);
  }
  if (seconds < kTellSeconds && bytes < kTellBytes) {
    return "";
  }
  PlanPrintOptions options;
  options.width = AskTerminalSize(STDERR_FILENO).columns;
  return PrintEstimateReport(forecast, MeasureError(planning, build), options);
}

Json Optional(const std::optional<double>& value) {
  return value.has_value() ? Json(*value) : Json();
}

Json EstimateJson(const backend::Estimate& estimate) {
  if (!estimate.mean.has_value()) {
    return Json();
  }
  Json list = Json::Array();
  for (double value : {estimate.low, *estimate.mean, estimate.high}) {
    list.Append(Json(value));
  }
  return list;
}

Json FiguresJson(const backend::EstimateFigures& figures) {
  Json json = Json::Object();
  json.Set("count", int64_t{figures.count});
  json.Set("mape", Optional(figures.mape));
  json.Set("bias", Optional(figures.bias));
  json.Set("rank", Optional(figures.rank));
  json.Set("inside", Optional(figures.inside));
  return json;
}

Json ErrorJson(const backend::EstimateError& error) {
  Json json = Json::Object();
  json.Set("builds", int64_t{error.builds});
  json.Set("bytes", FiguresJson(error.bytes));
  json.Set("seconds", FiguresJson(error.seconds));
  json.Set("layer_lists", int64_t{error.layer_lists});
  json.Set("same_layer_lists", int64_t{error.same_layer_lists});
  return json;
}

// Keys of the segments that became layers. A layout that was remembered has
// none; its layers were those of an earlier build.
std::map<std::string, std::string> SegmentKeys(
    const Planning& planning, const backend::BuildResult& result,
    const std::vector<backend::BuiltLayer>& layers) {
  std::map<std::string, std::string> keys;
  for (const backend::BuildDocument& build : planning.builds) {
    for (const backend::BuiltLayer& layer : build.layers) {
      keys.emplace(layer.chain, layer.key);
    }
  }
  const std::optional<ir::Layout>& layout = result.exported.layout;
  for (size_t i = 0; layout.has_value() && i < layers.size() &&
                     i < layout->layers.size();
       ++i) {
    keys[layers[i].chain] = layout->layers[i].key;
  }
  return keys;
}

}  // namespace

absl::StatusOr<bool> CheckLimit(const BuildInput& input,
                                const backend::Plan& plan,
                                const Planning& planning,
                                backend::Store& store) {
  ASSIGN_OR_RETURN(size_t base_layers, BaseLayers(plan, store));
  if (!backend::ExceedsLimit(plan, planning.policy, base_layers)) {
    return true;
  }
  ASSIGN_OR_RETURN(
      backend::PlannedExport planned,
      backend::PlanExport(plan, planning.policy, input.source, &store));
  if (!planned.problem.has_value()) {
    return true;
  }
  Diagnostics diagnostics;
  ASSIGN_OR_RETURN(Diagnostic error,
                   LimitError(input, plan, planning.policy, *planned.problem,
                              planned.predicted.complete, &store));
  diagnostics.Add(std::move(error));
  Print(diagnostics, input);
  return false;
}

absl::Status ReportLimitAfterRun(const BuildInput& input,
                                 const backend::Plan& plan,
                                 const Planning& planning,
                                 const ir::LimitProblem& problem,
                                 backend::Store& store) {
  Diagnostics diagnostics;
  ASSIGN_OR_RETURN(Diagnostic error,
                   LimitError(input, plan, planning.policy, problem,
                              /*sizes_known=*/true, &store));
  diagnostics.Add(std::move(error));
  Print(diagnostics, input);
  return absl::OkStatus();
}

absl::StatusOr<backend::BuildDocument> DescribeBuild(
    const BuildInput& input, const Planning& planning,
    const backend::BuildResult& result, backend::Store& store) {
  backend::BuildDocument build;
  build.level = absl::StrCat("O", input.level);
  build.image = result.image->id.ToString();
  build.seconds = result.seconds;
  build.steps = result.steps;
  for (const backend::OwnLayer& own : result.exported.own) {
    ASSIGN_OR_RETURN(backend::Layer layer, store.GetLayer(own.id));
    build.layers.push_back({layer.chain.ToString(), own.first, own.last,
                            static_cast<int64_t>(layer.size)});
  }
  std::map<std::string, std::string> keys =
      SegmentKeys(planning, result, build.layers);
  for (backend::BuiltLayer& layer : build.layers) {
    layer.key = keys[layer.chain];
  }
  if (planning.forecast.has_value()) {
    backend::AddForecast(*planning.forecast, build);
  }
  return build;
}

absl::Status RecordBuild(const Planning& planning,
                         const backend::BuildDocument& build, int64_t started,
                         backend::Store& store) {
  bool ran = std::any_of(
      build.steps.begin(), build.steps.end(),
      [](const backend::BuiltStep& step) { return step.state == "run"; });
  if (!ran && !planning.builds.empty() &&
      planning.builds[0].image == build.image) {
    return absl::OkStatus();
  }
  return store.AddBuild({.target = planning.target,
                         .started = started,
                         .document = PrintBuildDocument(build)});
}

absl::Status WriteLock(const BuildInput& input,
                       const backend::BuildResult& result,
                       backend::Store& store) {
  const std::optional<ir::Layout>& layout = result.exported.layout;
  if (input.exports.lock_file.empty() || !layout.has_value() ||
      !layout->lock.has_value()) {
    return absl::OkStatus();
  }
  ir::LayerLock lock = *layout->lock;
  for (size_t i = 0; i < lock.layers.size() && i < result.exported.own.size();
       ++i) {
    ASSIGN_OR_RETURN(backend::Layer layer,
                     store.GetLayer(result.exported.own[i].id));
    if (layer.diff_id.has_value()) {
      lock.layers[i].diff_id = layer.diff_id->ToString();
    }
  }
  return ReplaceFile(input.exports.lock_file, ir::PrintLayerLock(lock), 0644,
                     /*durable=*/false);
}

absl::Status WriteTrace(const std::string& file, const BuildInput& input,
                        const backend::Plan& plan, const Planning& planning,
                        const backend::BuildResult& result,
                        backend::Store& store) {
  backend::TargetChain chain =
      backend::FindChain(plan.graph, plan.graph.targets[0]);
  ASSIGN_OR_RETURN(
      backend::ChainDiffs diffs,
      backend::ReadChainDiffs(result.chain.base_layers, result.chain.layers,
                              /*all_digests=*/true, store));
  ir::Trace trace = backend::MakeTrace(diffs);
  backend::DescribeSteps(plan.graph, chain, input.source, trace);
  std::vector<int> positions = backend::StepsOfNodes(plan);
  for (size_t i = 0; i < chain.steps.size(); ++i) {
    // Microseconds are enough.
    double seconds = result.steps[positions[chain.steps[i].index]].seconds;
    trace.steps[i].ms = std::round(1e6 * seconds) / 1000;
  }
  trace.name = planning.policy.target;
  trace.base_layers = static_cast<int>(result.chain.base_layers.size());
  if (planning.policy.max_layers > 0) {
    trace.budget =
        backend::OwnLimit(planning.policy, result.chain.base_layers.size());
  }
  trace.epochs = planning.policy.epochs;
  trace.cuts = planning.policy.cuts;
  return ReplaceFile(file, ir::PrintTrace(trace), 0644, /*durable=*/false);
}

std::string BuildMetadata(const BuildInput& input, const Planning& planning,
                          const backend::BuildResult& result,
                          const backend::BuildDocument& build) {
  Json json = Json::Object();
  json.Set("containerimage.config.digest", result.image->id.ToString());
  std::string names;
  for (const ir::ImageReference& tag : input.tags) {
    absl::StrAppend(&names, names.empty() ? "" : ",", tag.Full());
  }
  json.Set("image.name", names);
  json.Set("lamina.steps_run", int64_t{result.steps_run});
  json.Set("lamina.steps_cached", int64_t{result.steps_cached});
  json.Set("lamina.layers", static_cast<int64_t>(result.exported.own.size()));
  json.Set("lamina.tree_digest", result.exported.tree_digest);
  Json steps = Json::Array();
  int number = 0;
  for (const backend::BuiltStep& step : build.steps) {
    Json row = Json::Object();
    row.Set("id", int64_t{++number});
    row.Set("stage", step.stage);
    row.Set("name", step.text);
    row.Set("state", step.state);
    row.Set("seconds", step.seconds);
    row.Set("written_bytes", step.bytes);
    row.Set("expected_seconds", EstimateJson(step.expected_seconds));
    row.Set("expected_bytes", EstimateJson(step.expected_bytes));
    steps.Append(std::move(row));
  }
  json.Set("lamina.steps", std::move(steps));
  json.Set("lamina.estimates", ErrorJson(MeasureError(planning, build)));
  return absl::StrCat(PrintJson(json), "\n");
}

std::string BuildSummary(const Planning& planning,
                         const backend::BuildResult& result,
                         const backend::BuildDocument& build) {
  int total = result.steps_run + result.steps_cached;
  std::string text;
  if (!result.exported.mismatch.empty()) {
    text = MismatchText(result.exported);
  }
  absl::StrAppend(&text, LayersText(result), EstimateText(planning, build));
  if (total == 0) {
    absl::StrAppend(&text, "the build file has no step to run\n");
  } else if (result.steps_run == 0) {
    absl::StrAppend(&text, "nothing to run: all ", total,
                    " steps are cached\n");
  } else {
    absl::StrAppend(&text, "ran ", result.steps_run, " of ", total, " steps, ",
                    result.steps_cached, " cached\n");
  }
  return text;
}

}  // namespace lamina::cli
