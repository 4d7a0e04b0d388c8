// lamina __layout: what the planners make of recorded steps, for tests and
// measurements. Needs neither store nor root.
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/command.h"
#include "ir/layout/chain_layout.h"
#include "ir/layout/trace.h"
#include "ir/layout/tree_digest.h"

namespace lamina::cli {
namespace {

constexpr Flag kLayoutFlags[] = {
    {.name = "params",
     .value = "NAME",
     .help = "cost parameters: default, latency, storage or cold",
     .repeatable = true},
    {.name = "segments",
     .help = "add all segments, and the best plan of each number of layers"},
};

constexpr size_t kMostText = size_t{1} << 30;

struct Params {
  absl::string_view name;
  ir::CostWeights weights;
};

constexpr Params kParams[] = {
    {"default", {}},
    {"latency", {.gamma = 4194304}},
    {"storage", {.alpha = 0, .beta = 0, .gamma = 0, .delta = 1000}},
    {"cold", {.alpha = 1000, .beta = 100, .gamma = 65536, .delta = 0}},
};

Json Number(uint64_t value) { return Json(static_cast<int64_t>(value)); }

template <typename T>
Json Numbers(const std::vector<T>& values) {
  Json list = Json::Array();
  for (const T& value : values) {
    list.Append(static_cast<int64_t>(value));
  }
  return list;
}

Json DeadBytes(const ir::ChainModel& model) {
  uint64_t sums[3] = {};
  for (const ir::DeadBytes& dead : ir::FindDeadBytes(model.histories)) {
    sums[static_cast<int>(dead.cause)] += dead.bytes;
  }
  uint64_t whiteouts = 0;
  for (int t = 1; t <= model.cost.positions(); ++t) {
    whiteouts += model.cost.size(t - 1, t).whiteouts * ir::kEntryBytes;
  }
  auto sum = [&sums](ir::DeadCause cause) {
    return Number(sums[static_cast<int>(cause)]);
  };
  Json dead = Json::Object();
  dead.Set("overwritten", sum(ir::DeadCause::kOverwritten));
  dead.Set("deleted", sum(ir::DeadCause::kDeleted));
  dead.Set("metadata", sum(ir::DeadCause::kMetadata));
  dead.Set("whiteouts", Number(whiteouts));
  return dead;
}

Json TreeDigests(const ir::Trace& trace) {
  ir::PathStates states;
  ir::ApplyEvents(trace.base, states);
  std::vector<std::string> digests = {ir::TreeDigest(states)};
  for (const ir::TraceStep& step : trace.steps) {
    ir::ApplyEvents(step.events, states);
    digests.push_back(ir::TreeDigest(states));
  }
  return Json::Strings(digests);
}

Json PlanJson(const ir::ChainPlan& plan) {
  Json json = Json::Object();
  json.Set("cost", plan.cost);
  json.Set("layers", int64_t{plan.layers});
  json.Set("cuts", Numbers(plan.cuts));
  return json;
}

// One plan, for one set of parameters.
Json CaseJson(const ir::ChainModel& model, const Params& params) {
  int n = model.cost.positions();
  int budget = model.trace.budget.value_or(n);
  ir::ChainProgramme programme(model.cost, model.rules, n);
  Json row = Json::Array();
  for (int layers = 0; layers <= n; ++layers) {
    std::optional<int64_t> cost = programme.Cost(layers);
    row.Append(cost ? Json(*cost) : Json());
  }
  Json json = Json::Object();
  json.Set("params", std::string(params.name));
  json.Set("budget", int64_t{budget});
  json.Set("row", std::move(row));
  std::optional<ir::ChainPlan> best = programme.Best(budget);
  json.Set("best", best ? PlanJson(*best) : Json());
  if (best) {
    json.Set("ties", programme.Ties(best->layers));
    return json;
  }
  std::optional<ir::RelaxedPlan> relaxed =
      ir::RelaxForcedCuts(model.cost, model.rules, budget);
  if (relaxed) {
    Json plan = PlanJson(relaxed->plan);
    plan.Set("dropped", Numbers(relaxed->dropped));
    json.Set("relaxed", std::move(plan));
  }
  return json;
}

Json SegmentsJson(const ir::ChainModel& model) {
  Json bytes = Json::Array();
  Json entries = Json::Array();
  Json whiteouts = Json::Array();
  Json changed = Json::Array();
  for (int i = 0; i < model.cost.positions(); ++i) {
    std::vector<uint64_t> row[4];
    for (int j = i + 1; j <= model.cost.positions(); ++j) {
      const ir::SegmentSize& size = model.cost.size(i, j);
      row[0].push_back(size.bytes);
      row[1].push_back(size.entries);
      row[2].push_back(size.whiteouts);
      row[3].push_back(static_cast<uint64_t>(model.cost.changed(i, j)));
    }
    bytes.Append(Numbers(row[0]));
    entries.Append(Numbers(row[1]));
    whiteouts.Append(Numbers(row[2]));
    changed.Append(Numbers(row[3]));
  }
  Json json = Json::Object();
  json.Set("name", model.trace.name);
  json.Set("bytes", std::move(bytes));
  json.Set("entries", std::move(entries));
  json.Set("whiteouts", std::move(whiteouts));
  json.Set("changed", std::move(changed));
  return json;
}

Json BestByLayers(const ir::ChainModel& model) {
  ir::ChainProgramme programme(model.cost, model.rules, model.cost.positions());
  Json list = Json::Array();
  for (int layers = 0; layers <= programme.max_layers(); ++layers) {
    if (!programme.Cost(layers)) {
      continue;
    }
    ir::ChainPlan plan = programme.Plan(layers);
    Json json = PlanJson(plan);
    std::vector<int> ends = plan.cuts;
    ends.push_back(model.cost.positions());
    uint64_t bytes = 0;
    uint64_t update = 0;
    int i = 0;
    for (int j : ends) {
      bytes += model.cost.bytes(i, j);
      update += model.cost.bytes(i, j) *
                static_cast<uint64_t>(model.cost.changed(i, j));
      i = j;
    }
    json.Set("bytes", Number(bytes));
    json.Set("update", Number(update));
    list.Append(std::move(json));
  }
  return list;
}

absl::StatusOr<Json> TraceJson(const ir::Trace& trace,
                               const std::vector<Params>& params,
                               bool segments) {
  ASSIGN_OR_RETURN(ir::ChainModel model, ir::PrepareChain(trace, {}, {}));
  int n = model.cost.positions();
  std::vector<uint64_t> verbatim;
  for (int t = 1; t <= n; ++t) {
    verbatim.push_back(model.cost.bytes(t - 1, t));
  }
  Json json = Json::Object();
  json.Set("name", trace.name);
  json.Set("weight", model.cost.total_weight());
  json.Set("unit", 1000 * model.cost.total_weight());
  json.Set("verbatim", Numbers(verbatim));
  json.Set("squashed", Number(n > 0 ? model.cost.bytes(0, n) : 0));
  json.Set("dead", DeadBytes(model));
  json.Set("trees", TreeDigests(trace));
  Json cases = Json::Array();
  for (const Params& one : params) {
    ASSIGN_OR_RETURN(ir::ChainModel priced,
                     ir::PrepareChain(trace, one.weights, {}));
    cases.Append(CaseJson(priced, one));
  }
  json.Set("cases", std::move(cases));
  if (segments) {
    json.Set("segments", SegmentsJson(model));
    json.Set("best_by_layers", BestByLayers(model));
  }
  return json;
}

absl::StatusOr<std::vector<Params>> ReadParams(const Invocation& invocation) {
  std::vector<Params> chosen;
  for (const std::string& name : invocation.GetAll("params")) {
    auto found = std::find_if(
        std::begin(kParams), std::end(kParams),
        [&name](const Params& params) { return params.name == name; });
    if (found == std::end(kParams)) {
      return UsageError(absl::StrCat(
          "--params is default, latency, storage or cold, not `", name, "`"));
    }
    chosen.push_back(*found);
  }
  if (chosen.empty()) {
    chosen.push_back(kParams[0]);
  }
  return chosen;
}

absl::StatusOr<int> RunLayout(const Invocation& invocation) {
  ASSIGN_OR_RETURN(std::vector<Params> params, ReadParams(invocation));
  const std::string& file = invocation.words()[0];
  absl::StatusOr<std::string> text = file == "-"
                                         ? ReadAll(STDIN_FILENO, kMostText)
                                         : ReadFile(file, kMostText);
  if (!text.ok()) {
    return UserError(text.status().message());
  }
  std::string name = file == "-" ? "standard input" : file;
  absl::StatusOr<std::vector<ir::Trace>> traces = ir::ParseTraces(*text);
  if (!traces.ok()) {
    return UserError(absl::StrCat(name, ": ", traces.status().message()));
  }
  for (const ir::Trace& trace : *traces) {
    absl::StatusOr<Json> json =
        TraceJson(trace, params, invocation.GetBool("segments"));
    if (!json.ok()) {
      return UserError(absl::StrCat(name, ": trace `", trace.name,
                                    "`: ", json.status().message()));
    }
    RETURN_IF_ERROR(PrintResult(absl::StrCat(PrintJson(*json), "\n")));
  }
  return 0;
}

}  // namespace

extern const Command kLayout = {
    .name = "__layout",
    .summary = "plan the layers of recorded steps",
    .usage = "[FLAGS] FILE",
    .flags = kLayoutFlags,
    .min_words = 1,
    .max_words = 1,
    .description =
        "FILE holds step-diff traces, one JSON object a line; `-` "
        "is standard input. Prints one object a trace.",
    .run = RunLayout,
};

}  // namespace lamina::cli
