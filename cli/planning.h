// What the store and the context say about a build before it runs: change
// weights, cut rules, earlier builds. Shared by build, plan and explain.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/build_record.h"
#include "backend/forecast.h"
#include "backend/make_report.h"
#include "backend/plan_export.h"
#include "backend/store/store.h"
#include "cli/build_flags.h"
#include "cli/compile.h"

namespace lamina::cli {

struct Planning {
  backend::ExportPolicy policy;  // Complete.
  std::string target;            // Of build records.
  std::vector<backend::BuildDocument> builds;  // Newest first.
  std::vector<int64_t> build_times;  // When each began, seconds since the epoch.
  // Of a build with something to run; see AddForecast.
  std::optional<backend::Forecast> forecast;
};

// `store` may be null. A build with SOURCE_DATE_EPOCH must give the same bytes
// everywhere, so its weights come from the build file alone.
absl::StatusOr<Planning> PreparePlanning(const BuildInput& input,
                                         const backend::Plan& plan,
                                         backend::Store* store);

// What `plan` is expected to do, unless it has nothing to do or is the first of
// its target.
absl::Status AddForecast(const BuildInput& input, const backend::Plan& plan,
                         backend::Store& store, Planning& planning);

// The whole dry run. `report_build` is the number of the build whose timeline
// is shown, 0 for the last one.
absl::StatusOr<backend::PlanReport> MakeDryRun(const BuildInput& input,
                                               const Compiled& compiled,
                                               int64_t report_build,
                                               backend::Store* store);

// --emit=plan: the dry run as text for people.
absl::Status PrintDryRun(const BuildInput& input, const Compiled& compiled,
                         backend::Store* store);

// Why the image would have too many layers, and the cheapest way out.
// `sizes_known`: the problem rests on no guess.
absl::StatusOr<Diagnostic> LimitError(const BuildInput& input,
                                      const backend::Plan& plan,
                                      const backend::ExportPolicy& policy,
                                      const ir::LimitProblem& problem,
                                      bool sizes_known, backend::Store* store);

}  // namespace lamina::cli
