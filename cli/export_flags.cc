#include "cli/export_flags.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::cli {
namespace {

// Base and own layers together; optimiser.md 2.
struct Preset {
  absl::string_view name;
  int layers;
};

constexpr Preset kPresets[] = {
    {"docker", 125},      // moby's layer store, whatever the driver.
    {"portable", 120},    // Docker's 125 with a margin: users met 122 to 125.
    {"containerd", 400},  // Mount data is one page, about 440 layers.
    {"podman", 480},      // The kernel's 500, less a container's own.
    {"aufs", 125},        // 127 branches, two of them the container's.
    {"none", 0},
};

absl::Status ReadMaxLayers(const Invocation& invocation,
                           backend::ExportPolicy& policy) {
  std::string text = invocation.Get("max-layers");
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) {
    if (text == preset.name) {
      policy.max_layers = preset.layers;
      policy.limit_name = text;
      return absl::OkStatus();
    }
    names.emplace_back(preset.name);
  }
  if (absl::SimpleAtoi(text, &policy.max_layers) && policy.max_layers > 0) {
    policy.limit_name = text;
    return absl::OkStatus();
  }
  std::optional<std::string> near = Closest(text, names);
  return UsageError(absl::StrCat(
      "--max-layers is a number above 0, docker, portable, containerd, podman, "
      "aufs or none, not `", text, "`",
      near.has_value() ? absl::StrCat("; did you mean ", *near, "?") : ""));
}

absl::Status ReadMode(const Invocation& invocation, const std::string& level,
                      backend::ExportPolicy& policy) {
  bool one = level == "s" || invocation.GetBool("squash");
  std::string layout = invocation.Get("layout");
  if (one && !layout.empty()) {
    return UsageError(
        "--layout has no meaning beside -Os: all own steps are one layer");
  }
  if (invocation.GetBool("squash") && invocation.Has("opt") && level != "s") {
    return UsageError(absl::StrCat("--squash is -Os; it contradicts -O", level));
  }
  if (layout.empty()) {
    layout = level == "0" ? "verbatim" : level == "1" ? "chain" : "partition";
  }
  if (one) {
    policy.mode = ir::LayoutMode::kOne;
  } else if (layout == "verbatim") {
    policy.mode = ir::LayoutMode::kVerbatim;
  } else if (layout == "chain") {
    policy.mode = ir::LayoutMode::kChain;
  } else if (layout == "partition") {
    policy.mode = ir::LayoutMode::kPartition;
  } else {
    return UsageError(absl::StrCat(
        "--layout is verbatim, chain or partition, not `", layout, "`"));
  }
  std::string empty = invocation.Get("empty-layers");
  if (empty != "" && empty != "drop" && empty != "keep") {
    return UsageError(
        absl::StrCat("--empty-layers is drop or keep, not `", empty, "`"));
  }
  bool verbatim = policy.mode == ir::LayoutMode::kVerbatim;
  if (empty == "keep" && !verbatim) {
    return UsageError(
        "--empty-layers=keep needs one layer a step: -O0 or --layout=verbatim");
  }
  policy.keep_empty = verbatim && (empty.empty() ? level == "0"
                                                 : empty == "keep");
  return absl::OkStatus();
}

absl::Status ReadLock(const Invocation& invocation,
                      const std::string& build_file,
                      ExportSettings& settings) {
  std::string named = invocation.Get("layer-lock");
  std::string relayout = invocation.Get("relayout");
  if (relayout != "auto" && relayout != "never" && relayout != "now") {
    return UsageError(
        absl::StrCat("--relayout is auto, never or now, not `", relayout, "`"));
  }
  settings.policy.relayout = relayout == "never" ? ir::Relayout::kNever
                             : relayout == "now" ? ir::Relayout::kNow
                                                 : ir::Relayout::kAuto;
  bool partition = settings.policy.mode == ir::LayoutMode::kPartition;
  if (!named.empty() && invocation.GetBool("no-lock")) {
    return UsageError("--layer-lock and --no-lock contradict each other");
  }
  if (!named.empty() && !partition) {
    return UsageError("--layer-lock needs -O2: other levels follow the build "
                      "file and have no layout to keep");
  }
  if (!partition || invocation.GetBool("no-lock")) {
    return absl::OkStatus();
  }
  std::string beside =
      JoinPath(std::string(DirName(build_file)), "layers.lock");
  std::string path = named.empty() ? beside : named;
  if (!FileExists(path)) {
    settings.lock_file = named;
    settings.lock_is_new = true;
    return absl::OkStatus();
  }
  settings.lock_file = path;
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, 64 << 20));
  absl::StatusOr<ir::LayerLock> lock = ir::ParseLayerLock(text);
  if (!lock.ok()) {
    return UserError(absl::StrCat(path, ": ", lock.status().message()));
  }
  settings.policy.lock = *std::move(lock);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ExportSettings> ReadExportSettings(
    const Invocation& invocation, const std::string& level,
    const std::string& build_file) {
  ExportSettings settings;
  RETURN_IF_ERROR(ReadMaxLayers(invocation, settings.policy));
  if (invocation.Has("head-room")) {
    ASSIGN_OR_RETURN(int64_t room, invocation.GetInt("head-room"));
    if (room < 0 || room > 1000) {
      return UsageError("--head-room is a number from 0 to 1000");
    }
    settings.policy.head_room = static_cast<int>(room);
  }
  RETURN_IF_ERROR(ReadMode(invocation, level, settings.policy));
  RETURN_IF_ERROR(ReadLock(invocation, build_file, settings));
  return settings;
}

}  // namespace lamina::cli
