// The flags of `plan` and `explain`: those of `build`, and how to show it.
#pragma once

#include "cli/build_flag_table.h"

namespace lamina::cli {

inline constexpr Flag kDryRunFlags[] = {
    {.name = "format", .value = "text|json|dot|mermaid|svg|html",
     .help = "form of the plan", .default_value = "text", .group = "Plan"},
    {.name = "stage", .value = "lowered|optimised|diff",
     .help = "which graph a picture shows", .default_value = "optimised",
     .group = "Plan"},
    {.name = "fold", .value = "N",
     .help = "fold chains in pictures of more steps; 0 is never",
     .default_value = "150", .group = "Plan"},
    {.name = "report", .value = "BUILD",
     .help = "show the timeline of this build; default: the last one",
     .group = "Plan"},
    {.name = "verbose", .short_name = 'v',
     .help = "intervals, keys and whole lists", .group = "Plan"},
};

inline constexpr auto kPlanFlags = JoinFlags(kDryRunFlags, kBuildFlags);

}  // namespace lamina::cli
