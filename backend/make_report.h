// Plan and planned layers -> the report that every form of the dry run prints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/build_record.h"
#include "backend/export_layers.h"
#include "backend/plan.h"
#include "backend/plan_export.h"
#include "backend/plan_report.h"
#include "ir/optimise.h"

namespace lamina::backend {

// A step that the target does not need; of a stage that is not reached.
struct SkippedStep {
  std::string stage;
  std::string text;
  SourceRange source;
  std::string reason;
};

// What is known beside the plan itself.
struct ReportFacts {
  std::string level;     // "O1"
  std::string platform;
  std::string lock;      // "ok", "none", "new".
  int jobs = 1;
  std::vector<SkippedStep> skipped;
  const ir::BuildGraph* written = nullptr;  // Before the passes; may be null.
  const std::vector<ir::Applied>* applied = nullptr;  // Likewise.
  std::vector<Estimate> sizes;  // RecordedSizes.
  // Builds of this target, newest first, and when the newest one began.
  std::vector<BuildDocument> builds;
  std::string last_build_time;
};

PlanReport MakeReport(const Plan& plan, const PlannedExport& planned,
                      const ExportPolicy& policy, const SourceFile& source,
                      const ReportFacts& facts);

// Seconds of a whole build in which step i takes seconds[i] and needs inputs[i]
// first, on `jobs` workers that always take the ready step with the longest
// path behind it. `path` receives the longest path.
double ScheduleSeconds(const std::vector<double>& seconds,
                       const std::vector<std::vector<int>>& inputs, int jobs,
                       std::vector<int>* path);

}  // namespace lamina::backend
