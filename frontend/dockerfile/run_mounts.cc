#include "frontend/dockerfile/run_mounts.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/mount.h"

namespace lamina::frontend {
namespace {

using grammar::Flag;
using grammar::Statement;
using ir::Mount;

std::string CacheId(const std::string& id, const BuildOptions& options) {
  auto space = options.build_args.find("BUILDKIT_CACHE_MOUNT_NS");
  return space == options.build_args.end() || space->second.empty()
             ? id
             : absl::StrCat(space->second, "/", id);
}

// The defaults that do not depend on the stage, in the words of the mount.
void FillNames(Mount& mount, size_t ssh_position, const BuildOptions& options) {
  switch (mount.type) {
    case Mount::Type::kCache:
      mount.id = CacheId(mount.id.empty() ? CleanPath(mount.target) : mount.id,
                         options);
      break;
    case Mount::Type::kSecret:
      if (mount.id.empty()) {
        mount.id = std::string(BaseName(mount.target));
      }
      if (mount.target.empty() && mount.env.empty()) {
        mount.target = absl::StrCat("/run/secrets/", BaseName(mount.id));
      }
      break;
    case Mount::Type::kSsh:
      if (mount.id.empty()) {
        mount.id = "default";
      }
      if (mount.target.empty()) {
        mount.target = absl::StrCat("/run/buildkit/ssh_agent.", ssh_position);
      }
      break;
    case Mount::Type::kBind:
    case Mount::Type::kTmpfs:
      break;
  }
}

// A mount, and where its source is written if that is in the build context.
struct PlacedMount {
  Mount mount;
  std::optional<SourceRange> context_source;
};

// Places the mounts of one RUN.
class MountLowering {
 public:
  MountLowering(Stage& stage, std::vector<ir::NodeId>& inputs)
      : stage_(stage), inputs_(inputs) {}

  std::optional<PlacedMount> Lower(const Flag& flag);

 private:
  bool SetTarget(Mount& mount, SourceRange range);
  bool SetSource(const MountSpec& spec, const Flag& flag, PlacedMount& placed);
  uint32_t InputPosition(ir::NodeId node);

  Stage& stage_;
  std::vector<ir::NodeId>& inputs_;
  size_t ssh_count_ = 0;
};

std::optional<PlacedMount> MountLowering::Lower(const Flag& flag) {
  UsedNames names;
  auto expand = [&](absl::string_view value) {
    return ExpandWord(value, stage_.escape(), stage_.VariablesFor(value),
                      &names);
  };
  MountMistake mistake;
  absl::StatusOr<MountSpec> spec = ParseMount(*flag.value, expand, mistake);
  if (!spec.ok()) {
    SourceRange place = ValuePart(flag, mistake.place);
    Diagnostic bad = {.code = "bad-mount",
                      .range = place,
                      .message = std::string(spec.status().message())};
    if (!mistake.better.empty() && place != flag.value_range) {
      bad.fix = {{absl::StrCat("write `", mistake.better, "`"),
                  {{place, mistake.better}}}};
    }
    stage_.AddValueError(std::move(bad));
    return std::nullopt;
  }
  stage_.Note(flag.value_range, *flag.value, *flag.value, names);
  PlacedMount placed = {.mount = spec->mount};
  Mount& mount = placed.mount;
  FillNames(mount, ssh_count_, stage_.build().options);
  if (mount.type == Mount::Type::kSsh) {
    ++ssh_count_;
  }
  if (!SetTarget(mount, flag.value_range) || !SetSource(*spec, flag, placed)) {
    return std::nullopt;
  }
  return placed;
}

bool MountLowering::SetTarget(Mount& mount, SourceRange range) {
  if (mount.type == Mount::Type::kSecret && mount.target.empty()) {
    return true;  // A variable without a file.
  }
  mount.target = absl::StartsWith(mount.target, "/")
                     ? CleanPath(mount.target)
                     : CleanPath(absl::StrCat(stage_.config().working_dir, "/",
                                              mount.target));
  if (mount.target == "/") {
    stage_.ValueError("bad-mount", range,
                      "invalid mount target \"/\"; name a folder below it");
    return false;
  }
  return true;
}

bool MountLowering::SetSource(const MountSpec& spec, const Flag& flag,
                              PlacedMount& placed) {
  Mount& mount = placed.mount;
  const std::string& from = spec.from;
  bool bind = mount.type == Mount::Type::kBind;
  if (!bind && (mount.type != Mount::Type::kCache || from.empty())) {
    mount.source.clear();
    return true;
  }
  MountMistake ignored;
  absl::StatusOr<MountFrom> named = ParseMountFrom(*flag.value, ignored);
  SourceRange range =
      named.ok() ? ValuePart(flag, named->place) : flag.value_range;
  std::optional<Source> source =
      from.empty() ? stage_.Context()
                   : stage_.FindSource({from, false, range}, mount.target);
  if (!source.has_value()) {
    return false;
  }
  mount.source = CleanPath(absl::StrCat("/", mount.source));
  mount.input = InputPosition(source->node);
  if (source->is_context) {
    placed.context_source = ValuePart(flag, spec.source_place);
  }
  return true;
}

uint32_t MountLowering::InputPosition(ir::NodeId node) {
  auto known = std::find(inputs_.begin(), inputs_.end(), node);
  uint32_t position = known - inputs_.begin();
  if (known == inputs_.end()) {
    inputs_.push_back(node);
  }
  return position + 1;  // Input 0 is the stage's own tree.
}

// The first agent's socket, unless the stage sets the variable itself.
void SetAgentVariable(ir::Run& run) {
  for (const std::string& variable : run.env) {
    if (absl::StartsWith(variable, "SSH_AUTH_SOCK=")) {
      return;
    }
  }
  for (const Mount& mount : run.mounts) {
    if (mount.type == Mount::Type::kSsh) {
      run.env.push_back(absl::StrCat("SSH_AUTH_SOCK=", mount.target));
      return;
    }
  }
}

}  // namespace

void CheckMounts(const Statement& statement, Diagnostics& diagnostics) {
  for (const Flag& flag : statement.flags) {
    if (flag.name != "mount" || !flag.value.has_value()) {
      continue;
    }
    MountMistake mistake;
    absl::StatusOr<MountFrom> from = ParseMountFrom(*flag.value, mistake);
    if (!from.ok()) {
      diagnostics.Error("bad-mount", ValuePart(flag, mistake.place),
                        std::string(from.status().message()));
    }
  }
}

bool LowerMounts(const Statement& statement, Stage& stage, ir::Run& run,
                 std::vector<ir::NodeId>& inputs, ir::Places& words) {
  MountLowering lowering(stage, inputs);
  std::vector<PlacedMount> mounts;
  bool complete = true;
  for (const Flag& flag : statement.flags) {
    if (flag.name != "mount") {
      continue;
    }
    std::optional<PlacedMount> mount = lowering.Lower(flag);
    // The step stays in a plan that does not know the value.
    complete = complete && (mount.has_value() || stage.guesses());
    if (mount.has_value()) {
      run.mounts.push_back(mount->mount);
      mounts.push_back(*std::move(mount));
    }
  }
  SetAgentVariable(run);
  std::stable_sort(mounts.begin(), mounts.end(),
                   [](const PlacedMount& a, const PlacedMount& b) {
                     return a.mount.target < b.mount.target;
                   });
  run.mounts.clear();
  for (PlacedMount& placed : mounts) {
    run.mounts.push_back(std::move(placed.mount));
    if (placed.context_source.has_value()) {
      words.ranges.push_back(*placed.context_source);
    }
  }
  return complete;
}

}  // namespace lamina::frontend
