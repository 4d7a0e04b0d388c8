// What a step's cache key is made of, and how to name the part that changed.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "backend/plan.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

// Proxies, and which cache a mount shows, reach the process but not the key
// (image-config.md 4).
ir::Op KeyedPart(const ir::Op& op) {
  ir::Op keyed = op;
  if (auto* run = std::get_if<ir::Run>(&keyed)) {
    run->hidden_env.clear();
    for (ir::Mount& mount : run->mounts) {
      if (mount.type == ir::Mount::Type::kCache) {
        mount.id.clear();
        mount.sharing = ir::Mount::Sharing::kShared;
      }
    }
  }
  return keyed;
}

const NodeResult& Result(const std::vector<NodeResult>& results,
                         ir::NodeId id) {
  CHECK(id.index < results.size());
  return results[id.index];
}

bool IsCopy(const ir::Node& node) {
  return std::holds_alternative<ir::Copy>(node.op);
}

// Names of lines that are not shown as they are.
constexpr absl::string_view kText = "text";
constexpr absl::string_view kOp = "op";
constexpr absl::string_view kBelow = "below";
constexpr absl::string_view kFiles = "files";
// Beginnings of the names of trees.
constexpr absl::string_view kStage = "the stage ";
constexpr absl::string_view kImage = "the image ";

void AddLine(absl::string_view name, absl::string_view value,
             std::string& out) {
  absl::StrAppend(&out, name, " ", Sha256(value).hex(), "\n");
}

void AddRunParts(const ir::Run& run, std::string& out) {
  AddLine("the command", absl::StrJoin(run.args, std::string(1, '\0')), out);
  AddLine("the user", run.user, out);
  AddLine("the working folder", run.working_dir, out);
  AddLine("the platform", run.platform, out);
  for (const std::string& variable : run.env) {
    size_t equals = variable.find('=');
    AddLine(absl::StrCat("the variable ",
                         EscapeControls(variable.substr(0, equals))),
            variable, out);
  }
  for (const ir::ScriptFile& script : run.scripts) {
    AddLine(absl::StrCat("the heredoc ", EscapeControls(script.name)),
            script.data, out);
  }
}

void AddCopyParts(const ir::Copy& copy, std::string& out) {
  AddLine("an expanded source",
          absl::StrJoin(copy.sources, std::string(1, '\0')), out);
  AddLine("the destination", copy.destination, out);
  AddLine("the owner", absl::StrCat(copy.owner.user, ":", copy.owner.group),
          out);
  AddLine("the mode", copy.chmod, out);
  for (const ir::InlineFile& file : copy.files) {
    AddLine(absl::StrCat("the heredoc ", EscapeControls(file.name)), file.data,
            out);
  }
}

// What a step reads beside the tree it stands on.
std::string InputName(const ir::Node& input) {
  if (const auto* base = std::get_if<ir::BaseImage>(&input.op)) {
    return absl::StrCat(kImage, base->reference.Familiar());
  }
  return absl::StrCat(kStage, input.stage);
}

// The lines of StepInputs: digests by name. A name may have blanks.
struct Inputs {
  std::map<std::string, std::string> parts;
  std::map<std::string, std::string> files;
  bool has_files = false;
};

Inputs ReadInputs(absl::string_view text) {
  Inputs inputs;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    size_t blank = line.rfind(' ');
    if (line == kFiles) {
      inputs.has_files = true;
    } else if (blank != absl::string_view::npos) {
      auto& lines = inputs.has_files ? inputs.files : inputs.parts;
      lines[std::string(line.substr(0, blank))] =
          std::string(line.substr(blank + 1));
    }
  }
  return inputs;
}

void DropTrees(std::map<std::string, std::string>& parts) {
  std::erase_if(parts, [](const auto& part) {
    return absl::StartsWith(part.first, kStage) ||
           absl::StartsWith(part.first, kImage);
  });
}

void AddChanges(const std::map<std::string, std::string>& before,
                const std::map<std::string, std::string>& now,
                std::vector<std::string>& changed) {
  for (const auto& [name, digest] : now) {
    auto old = before.find(name);
    if (old == before.end()) {
      changed.push_back(absl::StrCat(name, " is new"));
    } else if (old->second != digest) {
      changed.push_back(absl::StrCat(name, " changed"));
    }
  }
  for (const auto& [name, digest] : before) {
    if (!now.contains(name)) {
      changed.push_back(absl::StrCat(name, " is gone"));
    }
  }
}

}  // namespace

Digest StepKey(const ir::Node& node, const std::vector<NodeResult>& results,
               const std::vector<CopyListing>& listings,
               const PlanOptions& options) {
  Hasher hasher;
  hasher.UpdateField("lamina step 2");
  hasher.UpdateField(ir::PrintOp(KeyedPart(node.op)));
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const NodeResult& input = Result(results, node.inputs[i]);
    bool listed = i > 0 && IsCopy(node) && !listings.empty() &&
                  input.remote.empty();
    hasher.UpdateField(listed ? "listed" : input.chain.hex());
  }
  for (const CopyListing& listing : listings) {
    bool owners = IsCopy(node) && std::get<ir::Copy>(node.op).preserve_owner;
    hasher.UpdateField(ListingDigest(listing, owners).hex());
  }
  if (std::holds_alternative<ir::MakeDir>(node.op) &&
      options.source_date_epoch.has_value()) {
    hasher.UpdateField(absl::StrCat(*options.source_date_epoch));
  }
  return hasher.Finish();
}

Digest PrefixKey(const ir::Node& node, const std::vector<NodeResult>& results) {
  Hasher hasher;
  hasher.UpdateField("lamina prefix 2");
  hasher.UpdateField(ir::PrintOp(KeyedPart(node.op)));
  hasher.UpdateField(Result(results, node.inputs[0]).chain.hex());
  return hasher.Finish();
}

std::string StepInputs(const ir::BuildGraph& graph, const ir::Node& node,
                       const std::vector<NodeResult>& results,
                       const std::vector<CopyListing>& listings) {
  std::string out;
  AddLine(kText, node.text, out);
  AddLine(kOp, ir::PrintOp(KeyedPart(node.op)), out);
  if (const auto* run = std::get_if<ir::Run>(&node.op)) {
    AddRunParts(*run, out);
  } else if (const auto* copy = std::get_if<ir::Copy>(&node.op)) {
    AddCopyParts(*copy, out);
  }
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const NodeResult& input = Result(results, node.inputs[i]);
    std::string name(kBelow);
    if (i > 0) {
      name = input.remote.empty() ? InputName(graph.nodes[node.inputs[i]])
                                  : input.remote;
    }
    absl::StrAppend(&out, name, " ", input.chain.hex(), "\n");
  }
  for (const CopyListing& listing : listings) {
    absl::StrAppend(&out, kFiles, "\n", ListingSummary(listing));
  }
  return out;
}

std::string CompareInputs(absl::string_view before, absl::string_view now) {
  Inputs old = ReadInputs(before);
  Inputs found = ReadInputs(now);
  auto differ = [&](absl::string_view name) {
    return old.parts[std::string(name)] != found.parts[std::string(name)];
  };
  if (differ(kText)) {
    return "the instruction changed";
  }
  if (differ(kBelow)) {
    return "the step before it changed";
  }
  bool op_changed = differ(kOp);
  for (Inputs* inputs : {&old, &found}) {
    for (absl::string_view name : {kText, kBelow, kOp}) {
      inputs->parts.erase(std::string(name));
    }
  }
  std::vector<std::string> changed;
  // Files that were not looked at are not gone. Those that were say more than
  // the name of the stage they are in.
  if (old.has_files && found.has_files) {
    AddChanges(old.files, found.files, changed);
  }
  if (!changed.empty()) {
    DropTrees(old.parts);
    DropTrees(found.parts);
  }
  AddChanges(old.parts, found.parts, changed);
  if (changed.empty()) {
    return op_changed ? "the meaning of the instruction changed"
                      : "its result is no longer in the store";
  }
  std::string more = changed.size() > 1
                         ? absl::StrCat(" (and ", changed.size() - 1, " more)")
                         : "";
  return absl::StrCat(changed[0], more);
}

}  // namespace lamina::backend
