// The words of the dry run for steps of a graph and decisions of the planner.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "backend/plan_report.h"
#include "ir/graph.h"
#include "ir/layout/layout.h"

namespace lamina::backend {

std::string FirstLine(const std::string& text);

// "run", "copy", "add", "workdir".
absl::string_view Kind(const ir::Node& node);

// Where files come from: an image, a context, "scratch", "download".
std::string SourceName(const ir::Op& op);

// A stable word for programs; the reason itself is for people.
std::string ReasonCode(const std::string& reason);

// The one source of a COPY; of others "".
std::string CopiedPath(const ir::Node& node);

// Mounts and network of a command.
void AddDetails(const ir::Run& run, ReportStep& step);

std::string MergeText(const ir::LayoutMerge& merge);
std::string CutText(const ir::LayoutCut& cut);

}  // namespace lamina::backend
