#include "cli/build_outcome.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

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
                                  HumanSize(layout.stored));
  if (layout.verbatim_stored > layout.stored) {
    absl::StrAppend(&text, " (",
                    HumanSize(layout.verbatim_stored - layout.stored),
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

// Of the steps that ran and were expected to take some time.
std::string EstimateText(const std::vector<backend::BuiltStep>& steps) {
  double expected = 0;
  double measured = 0;
  for (const backend::BuiltStep& step : steps) {
    if (step.state == "run" && step.expected_seconds.has_value()) {
      expected += *step.expected_seconds;
      measured += step.seconds;
    }
  }
  if (expected < 1) {
    return "";
  }
  return absl::StrFormat("took %.1f s, %.1f s expected (%+.0f %%)\n", measured,
                         expected, 100 * (measured - expected) / expected);
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
  diagnostics.Add(LimitError(input, plan, planning.policy, *planned.problem,
                             base_layers));
  Print(diagnostics, input);
  return false;
}

void ReportLimitAfterRun(const BuildInput& input, const backend::Plan& plan,
                         const Planning& planning,
                         const ir::LimitProblem& problem,
                         backend::Store& store) {
  absl::StatusOr<size_t> base_layers = BaseLayers(plan, store);
  Diagnostics diagnostics;
  diagnostics.Add(LimitError(input, plan, planning.policy, problem,
                             base_layers.ok() ? *base_layers : 0));
  Print(diagnostics, input);
}

absl::Status RecordBuild(const BuildInput& input, const Planning& planning,
                         const backend::BuildResult& result, int64_t started,
                         backend::Store& store) {
  backend::BuildDocument document;
  document.level = absl::StrCat("O", input.level);
  document.image = result.image->id.ToString();
  bool same = result.steps_run == 0 && !planning.builds.empty() &&
              planning.builds[0].image == document.image;
  if (same) {
    return absl::OkStatus();
  }
  document.seconds = result.seconds;
  document.steps = result.steps;
  for (const backend::OwnLayer& own : result.exported.own) {
    ASSIGN_OR_RETURN(backend::Layer layer, store.GetLayer(own.id));
    document.layers.push_back({layer.chain.ToString(), own.first, own.last,
                               static_cast<int64_t>(layer.size)});
  }
  return store.AddBuild({.target = planning.target,
                         .started = started,
                         .document = PrintBuildDocument(document)});
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

std::string BuildMetadata(const BuildInput& input,
                          const backend::BuildResult& result) {
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
  for (const backend::BuiltStep& step : result.steps) {
    Json row = Json::Object();
    row.Set("id", int64_t{++number});
    row.Set("stage", step.stage);
    row.Set("name", step.text);
    row.Set("state", step.state);
    row.Set("seconds", step.seconds);
    row.Set("written_bytes", step.bytes);
    row.Set("expected_seconds", step.expected_seconds.has_value()
                                    ? Json(*step.expected_seconds)
                                    : Json());
    steps.Append(std::move(row));
  }
  json.Set("lamina.steps", std::move(steps));
  return absl::StrCat(PrintJson(json), "\n");
}

std::string BuildSummary(const backend::BuildResult& result) {
  int total = result.steps_run + result.steps_cached;
  std::string text;
  if (!result.exported.mismatch.empty()) {
    text = MismatchText(result.exported);
  }
  absl::StrAppend(&text, LayersText(result), EstimateText(result.steps));
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
