// What a build tells and writes down besides its image: limits that cannot be
// met, the record for later builds, the layer lock, how good the estimate was.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "backend/executor.h"
#include "cli/planning.h"

namespace lamina::cli {

// False when no run could meet the layer limit; that is reported.
absl::StatusOr<bool> CheckLimit(const BuildInput& input,
                                const backend::Plan& plan,
                                const Planning& planning,
                                backend::Store& store);

// The same, found out after the steps ran.
absl::Status ReportLimitAfterRun(const BuildInput& input,
                                 const backend::Plan& plan,
                                 const Planning& planning,
                                 const ir::LimitProblem& problem,
                                 backend::Store& store);

// What a successful build writes down about itself.
absl::StatusOr<backend::BuildDocument> DescribeBuild(
    const BuildInput& input, const Planning& planning,
    const backend::BuildResult& result, backend::Store& store);

// `started` is in seconds since the epoch. Keeps no record of a build that ran
// nothing and made the image of the last one again.
absl::Status RecordBuild(const Planning& planning,
                         const backend::BuildDocument& build, int64_t started,
                         backend::Store& store);

// The lock of this layout, if one is kept, beside its final name and renamed.
absl::Status WriteLock(const BuildInput& input,
                       const backend::BuildResult& result,
                       backend::Store& store);

// --write-trace: what the steps of the target wrote, as the planner reads it
// (optimiser.md 9.4). Files whose digest nobody asked for yet are read.
absl::Status WriteTrace(const std::string& file, const BuildInput& input,
                        const backend::Plan& plan, const Planning& planning,
                        const backend::BuildResult& result,
                        backend::Store& store);

// --metadata-file: buildx's keys, what each step did, and how good the
// estimates of the last builds were.
std::string BuildMetadata(const BuildInput& input, const Planning& planning,
                          const backend::BuildResult& result,
                          const backend::BuildDocument& build);

// "ran 2 of 5 steps, ...", the layers, and the error of the estimate; with a
// warning where layers did not give the tree of the steps.
std::string BuildSummary(const Planning& planning,
                         const backend::BuildResult& result,
                         const backend::BuildDocument& build);

}  // namespace lamina::cli
