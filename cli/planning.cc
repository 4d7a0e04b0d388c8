#include "cli/planning.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/epochs.h"
#include "backend/limit_text.h"
#include "backend/vcs_history.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/plan_formats/plan_format.h"
#include "frontend/lower.h"

namespace lamina::cli {
namespace {

constexpr int kBuildsRead = 65;

std::string PlatformText(const ir::ImageConfig& config) {
  return absl::StrCat(config.os, "/", config.architecture,
                      config.variant.empty() ? "" : "/", config.variant);
}

absl::Status ReadBuilds(const std::string& target, backend::Store* store,
                        Planning& planning) {
  if (store == nullptr) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::vector<backend::BuildRecord> records,
                   store->ListBuilds(target, kBuildsRead));
  for (const backend::BuildRecord& record : records) {
    absl::StatusOr<backend::BuildDocument> build =
        backend::ParseBuildDocument(record.document);
    if (build.ok()) {
      planning.builds.push_back(*std::move(build));
      planning.build_times.push_back(record.started);
    }
  }
  return absl::OkStatus();
}

// Settings of the layer writer that change the bytes of layers.
std::string WriterText(const backend::LayerWriterOptions& layers) {
  Json json = Json::Object();
  json.Set("tar", int64_t{1});
  json.Set("compression",
           std::string(backend::CompressionName(layers.compression)));
  json.Set("level", int64_t{layers.compression_level});
  return PrintJson(json);
}

std::string LockState(const ExportSettings& exports) {
  if (exports.policy.mode != ir::LayoutMode::kPartition ||
      exports.lock_file.empty()) {
    return "none";
  }
  return exports.lock_is_new ? "new" : "ok";
}

}  // namespace

absl::StatusOr<Planning> PreparePlanning(const BuildInput& input,
                                         const backend::Plan& plan,
                                         backend::Store* store) {
  Planning planning;
  planning.policy = input.exports.policy;
  const ir::Target& target = plan.graph.targets[0];
  planning.target =
      absl::StrCat(input.plan.definition, "\t", target.name, "\t",
                   PlatformText(target.config));
  RETURN_IF_ERROR(ReadBuilds(planning.target, store, planning));
  backend::TargetChain chain = backend::FindChain(plan.graph, target);
  planning.policy.target = target.name;
  const auto* image =
      std::get_if<ir::BaseImage>(&plan.graph.nodes[chain.base].op);
  planning.policy.base =
      image != nullptr ? image->image_id.ToString() : "scratch";
  planning.policy.writer = WriterText(input.layers);
  planning.policy.cuts = backend::FindCutRules(plan.graph, chain);
  bool same_everywhere = plan.options.source_date_epoch.has_value();
  std::vector<std::vector<std::string>> commits;
  auto context = input.plan.contexts.find("");
  if (!same_everywhere && context != input.plan.contexts.end() &&
      chain.steps.size() > 1) {
    commits = backend::RecentCommits(context->second.path, store);
  }
  // A build in which nothing changed is no news: it asks what the last one
  // asked, and gets the same layers.
  std::vector<backend::BuildDocument> before;
  if (!same_everywhere && !planning.builds.empty()) {
    ASSIGN_OR_RETURN(bool again,
                     backend::RepeatsBuild(plan, chain, planning.builds[0],
                                           *store));
    before.assign(planning.builds.begin() + (again ? 1 : 0),
                  planning.builds.end());
  }
  backend::ChangeWeights weights =
      backend::FindChangeWeights(plan.graph, chain, before, commits);
  if (!before.empty()) {
    for (const backend::BuiltLayer& layer : before[0].layers) {
      if (!layer.key.empty()) {
        planning.policy.published.push_back(layer.key);
      }
    }
  }
  planning.policy.epochs = std::move(weights.epochs);
  planning.policy.epochs_source = std::move(weights.source);
  return planning;
}

absl::Status AddForecast(const BuildInput& input, const backend::Plan& plan,
                         backend::Store& store, Planning& planning) {
  bool runs = std::any_of(
      plan.steps.begin(), plan.steps.end(),
      [](const backend::Step& step) { return !step.record.has_value(); });
  // The first build has nothing to guess from: what is left is exact, and costs
  // a look at every file of the base.
  if (!runs || planning.builds.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(
      backend::PlannedExport planned,
      backend::PlanExport(plan, planning.policy, input.source, &store));
  planning.forecast = backend::MakeForecast(plan, planned, planning.builds);
  return absl::OkStatus();
}

absl::StatusOr<backend::PlanReport> MakeDryRun(const BuildInput& input,
                                               const Compiled& compiled,
                                               int64_t report_build,
                                               backend::Store* store) {
  const backend::Plan& plan = *compiled.plan;
  ASSIGN_OR_RETURN(Planning planning, PreparePlanning(input, plan, store));
  ASSIGN_OR_RETURN(
      backend::PlannedExport planned,
      backend::PlanExport(plan, planning.policy, input.source, store));
  backend::ReportFacts facts;
  facts.level = absl::StrCat("O", input.level);
  facts.platform = PlatformText(plan.graph.targets[0].config);
  facts.lock = LockState(input.exports);
  facts.jobs = std::max<int>(1, sysconf(_SC_NPROCESSORS_ONLN));
  facts.written = &compiled.written;
  facts.applied = &compiled.applied;
  ASSIGN_OR_RETURN(facts.sizes, backend::RecordedSizes(plan, store));
  for (const frontend::UnreachedStep& step : compiled.unreached) {
    facts.skipped.push_back({step.stage, step.text, step.range,
                             "the target does not need its stage"});
  }
  if (report_build != 0) {
    std::optional<backend::BuildRecord> record;
    if (store != nullptr) {
      ASSIGN_OR_RETURN(record, store->FindBuild(report_build));
    }
    if (!record.has_value()) {
      return UserError(absl::StrCat("there is no build ", report_build,
                                    " in this store"));
    }
    ASSIGN_OR_RETURN(backend::BuildDocument build,
                     backend::ParseBuildDocument(record->document));
    planning.builds.insert(planning.builds.begin(), std::move(build));
    planning.build_times.insert(planning.build_times.begin(),
                                record->started);
  }
  facts.builds = planning.builds;
  if (!planning.builds.empty()) {
    facts.last_build_time = ir::FormatTime(planning.build_times[0]);
  }
  backend::PlanReport report = backend::MakeReport(
      plan, planned, planning.policy, input.source, facts);
  if (planned.problem.has_value()) {
    Diagnostics diagnostics;
    ASSIGN_OR_RETURN(
        Diagnostic error,
        LimitError(input, plan, planning.policy, *planned.problem,
                   planned.predicted.complete, store));
    diagnostics.Add(std::move(error));
    RenderOptions plain;
    report.too_many_layers = Render(diagnostics, input.source, plain);
  }
  return report;
}

absl::Status PrintDryRun(const BuildInput& input, const Compiled& compiled,
                         backend::Store* store) {
  ASSIGN_OR_RETURN(backend::PlanReport report,
                   MakeDryRun(input, compiled, 0, store));
  return PrintResult(kPlanText.print(report, PlanPrintOptions()));
}

absl::StatusOr<Diagnostic> LimitError(const BuildInput& input,
                                      const backend::Plan& plan,
                                      const backend::ExportPolicy& policy,
                                      const ir::LimitProblem& problem,
                                      bool sizes_known, backend::Store* store) {
  // What the default level would make of the same steps; looked at for the
  // base's layers, too.
  backend::ExportPolicy merged = policy;
  merged.mode = ir::LayoutMode::kChain;
  merged.keep_empty = false;
  ASSIGN_OR_RETURN(backend::PlannedExport planned,
                   backend::PlanExport(plan, merged, input.source, store));
  const backend::TargetChain& chain = planned.chain;
  backend::LimitContext context;
  context.file = input.source.name();
  context.base_layers =
      static_cast<int>(planned.predicted.chain.base_layers.size());
  context.sizes_known = sizes_known;
  if (policy.mode == ir::LayoutMode::kVerbatim && planned.layout.has_value()) {
    context.chain_layers = static_cast<int>(planned.layout->layers.size());
  }
  context.head_room = policy.head_room;
  context.limit_name = policy.limit_name;
  context.level = absl::StrCat("O", input.level);
  context.verbatim = policy.mode == ir::LayoutMode::kVerbatim;
  const ir::Node& base = plan.graph.nodes[chain.base];
  if (const auto* image = std::get_if<ir::BaseImage>(&base.op)) {
    context.base = image->reference.Familiar();
    context.from = base.source;
  }
  for (ir::NodeId id : chain.steps) {
    const ir::Node& node = plan.graph.nodes[id];
    backend::LimitStep step;
    step.keyword = node.text.substr(0, node.text.find(' '));
    step.line =
        static_cast<int>(input.source.Position(node.source.begin).line);
    step.end_line =
        static_cast<int>(input.source.Position(node.source.end).line);
    step.range = node.source;
    context.steps.push_back(std::move(step));
  }
  return backend::LimitDiagnostic(problem, context);
}

}  // namespace lamina::cli
