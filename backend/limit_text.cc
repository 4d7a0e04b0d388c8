#include "backend/limit_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

constexpr size_t kGroupsShown = 8;

// Why a preset is what it is.
absl::string_view ReasonOf(absl::string_view preset) {
  struct Preset {
    absl::string_view name, reason;
  };
  static constexpr Preset kPresets[] = {
      {"docker", "Docker's store stops at 125"},
      {"portable", "Docker's store stops at 125"},
      {"containerd", "containerd's mount data is one page, about 440 layers"},
      {"podman", "containers/storage stops at 500"},
      {"aufs", "AUFS has 127 branches, two of them the container's"}};
  for (const Preset& known : kPresets) {
    if (known.name == preset) {
      return known.reason;
    }
  }
  return "";
}

int Total(const ir::LimitProblem& problem, const LimitContext& context) {
  return problem.needed + context.base_layers;
}
int Limit(const ir::LimitProblem& problem, const LimitContext& context) {
  return problem.limit + context.base_layers + context.head_room;
}

std::string Counted(int count, absl::string_view one, absl::string_view many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

// "base python:3.12 has 7, -O0 makes one layer of each of 124 steps; ..."
std::string WhereFrom(const ir::LimitProblem& problem,
                      const LimitContext& context) {
  std::vector<std::string> parts;
  if (context.base_layers > 0) {
    parts.push_back(
        absl::StrCat("base ", context.base, " has ", context.base_layers));
  }
  if (context.verbatim) {
    parts.push_back(absl::StrCat("-", context.level,
                                 " makes one layer of each of ",
                                 Counted(problem.needed, "step", "steps")));
  } else if (problem.needed > 0) {
    parts.push_back(absl::StrCat("forced cuts make ",
                                 Counted(problem.needed, "layer", "layers")));
  }
  if (context.head_room > 0) {
    parts.push_back(
        absl::StrCat(context.head_room, " are kept free (--head-room)"));
  }
  std::string text = absl::StrJoin(parts, ", ");
  const absl::string_view reason = ReasonOf(context.limit_name);
  absl::StrAppend(&text, reason.empty() ? "" : "; ", reason,
                  " (--max-layers=", context.limit_name, ")");
  return text;
}

std::string Change(int64_t bytes, absl::string_view what) {
  const auto size = static_cast<uint64_t>(bytes < 0 ? -bytes : bytes);
  return absl::StrCat(BinarySize(size), bytes < 0 ? " less " : " more ", what);
}

// A run of steps that become one layer.
struct Group {
  int first = 0, last = 0;
};

std::vector<Group> GroupMerges(const ir::LimitProblem& problem) {
  std::vector<int> merged;
  for (const ir::LayoutMerge& merge : problem.merges) {
    merged.push_back(merge.step);
  }
  std::sort(merged.begin(), merged.end());
  std::vector<Group> groups;
  for (int step : merged) {
    if (!groups.empty() && groups.back().last == step) {
      groups.back().last = step + 1;
    } else {
      groups.push_back({step, step + 1});
    }
  }
  return groups;
}

const LimitStep* StepAt(const LimitContext& context, int step) {
  const bool known = step > 0 && step <= static_cast<int>(context.steps.size());
  return known ? &context.steps[step - 1] : nullptr;
}

// "Dockerfile:14-16  RUN RUN RUN"
std::string GroupText(const Group& group, const LimitContext& context) {
  constexpr int kKeywords = 6;
  const LimitStep* first = StepAt(context, group.first);
  const LimitStep* last = StepAt(context, group.last);
  if (first == nullptr || last == nullptr) {
    return absl::StrCat("steps ", group.first, "-", group.last);
  }
  std::vector<std::string> keywords;
  for (int step = group.first;
       step <= group.last && step < group.first + kKeywords; ++step) {
    keywords.push_back(StepAt(context, step)->keyword);
  }
  if (group.last - group.first >= kKeywords) {
    keywords.push_back("…");
  }
  return absl::StrCat(context.file, ":", first->line, "-",
                      std::max(first->line, last->end_line), "  ",
                      absl::StrJoin(keywords, " "));
}

void AddMergeNotes(const ir::LimitProblem& problem, const LimitContext& context,
                   Diagnostic& diagnostic) {
  if (problem.merges.empty()) {
    return;
  }
  diagnostic.notes.push_back(
      {std::nullopt,
       absl::StrCat(
           "cheapest merge set: ",
           Counted(static_cast<int>(problem.merges.size()), "merge", "merges"),
           context.sizes_known
               ? absl::StrCat(", ", Change(problem.stored_change, "stored"),
                              ", ", Change(problem.update_change, "per update"))
               : "; some sizes are not known yet")});
  const std::vector<Group> groups = GroupMerges(problem);
  // Hiding one group takes as much room as showing it.
  const size_t shown =
      groups.size() <= kGroupsShown + 1 ? groups.size() : kGroupsShown;
  for (size_t i = 0; i < shown; ++i) {
    diagnostic.notes.push_back(
        {std::nullopt, absl::StrCat("  ", GroupText(groups[i], context))});
  }
  if (groups.size() > shown) {
    diagnostic.notes.push_back(
        {std::nullopt,
         absl::StrCat("  … and ", groups.size() - shown, " more groups")});
  }
}

void AddDroppedCuts(const ir::LimitProblem& problem,
                    const LimitContext& context, Diagnostic& diagnostic) {
  for (const ir::CutRule& cut : problem.dropped) {
    const LimitStep* step = StepAt(context, cut.step);
    const std::string place =
        step != nullptr ? absl::StrCat(context.file, ":", step->end_line)
                        : absl::StrCat("step ", cut.step);
    diagnostic.notes.push_back(
        {step != nullptr ? step->range : std::nullopt,
         absl::StrCat("it drops the cut after ", place,
                      cut.why.empty() ? "" : ", forced by ", cut.why)});
  }
}

// What to do about it.
std::string Help(const ir::LimitProblem& problem, const LimitContext& context) {
  std::vector<std::string> ways;
  if (problem.limit <= 0) {
    ways.push_back("another --max-layers if no such engine shall run it");
    ways.push_back("a base with fewer layers");
    if (context.head_room > 0) {
      ways.push_back("less --head-room");
    }
    return absl::StrJoin(ways, ", or ");
  }
  if (context.chain_layers.has_value()) {
    ways.push_back(absl::StrCat(
        "-O1 plans ",
        Counted(*context.chain_layers, "own layer", "own layers")));
  } else if (!problem.dropped.empty()) {
    ways.push_back("drop those cuts");
  }
  const bool stopped_by_docker =
      context.limit_name == "portable" || context.limit_name == "docker";
  ways.push_back(stopped_by_docker
                     ? "--max-layers=containerd if no Docker engine shall run "
                       "this image"
                     : "a higher --max-layers");
  return absl::StrJoin(ways, "; or ");
}

std::optional<SourceRange> PlaceOf(const ir::LimitProblem& problem,
                                   const LimitContext& context) {
  int first = 0;
  for (const ir::LayoutMerge& merge : problem.merges) {
    first = first == 0 ? merge.step : std::min(first, merge.step);
  }
  const LimitStep* step = StepAt(context, first);
  return step != nullptr && step->range.has_value() ? step->range
                                                    : context.from;
}

std::string LimitMessage(const ir::LimitProblem& problem,
                         const LimitContext& context) {
  const int limit = Limit(problem, context);
  if (problem.limit <= 0) {
    return absl::StrCat(
        "the base alone has ", Counted(context.base_layers, "layer", "layers"),
        context.head_room > 0
            ? absl::StrCat(" and ", context.head_room, " are kept free")
            : "",
        ", the limit is ", limit);
  }
  return absl::StrCat(
      Counted(Total(problem, context), "layer", "layers"),
      context.head_room > 0
          ? absl::StrCat(" and ", context.head_room, " kept free")
          : "",
      ", the limit is ", limit);
}

}  // namespace

Diagnostic LimitDiagnostic(const ir::LimitProblem& problem,
                           const LimitContext& context) {
  Diagnostic diagnostic = {.severity = Severity::kError,
                           .code = "too-many-layers",
                           .range = PlaceOf(problem, context),
                           .message = LimitMessage(problem, context)};
  diagnostic.notes.push_back({std::nullopt, WhereFrom(problem, context)});
  if (problem.limit > 0) {
    AddMergeNotes(problem, context, diagnostic);
    AddDroppedCuts(problem, context, diagnostic);
  }
  diagnostic.notes.push_back({std::nullopt, Help(problem, context)});
  return diagnostic;
}

}  // namespace lamina::backend
