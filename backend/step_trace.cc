#include "backend/step_trace.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "ir/layout/tree_digest.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

bool IsDeletion(const Entry& entry) {
  return entry.type == EntryType::kWhiteout || entry.type == EntryType::kOpaque;
}

// --- digests -----------------------------------------------------------------

// One file whose bytes are not known by digest: entry `entry` of step `step`.
struct UnknownFile {
  size_t step = 0;
  size_t entry = 0;
};

// All files of the steps without a digest, or only those of a path that has
// had another file of the same size.
std::vector<UnknownFile> FindUnknown(const ChainDiffs& chain, bool all) {
  std::map<absl::string_view, std::map<uint64_t, int>> sizes;
  std::vector<UnknownFile> unknown;
  for (size_t step = 0; step < chain.diffs.size(); ++step) {
    const std::vector<Entry>& entries = chain.diffs[step].entries;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].type != EntryType::kFile) {
        continue;
      }
      auto [states, is_new] = sizes.try_emplace(entries[i].path);
      const ir::Tree::Item* below = chain.base.Find(entries[i].path);
      if (is_new && below != nullptr &&
          below->entry.type == EntryType::kFile) {
        ++states->second[below->entry.size];
      }
      ++states->second[entries[i].size];
      if (entries[i].digest.empty()) {
        unknown.push_back({step, i});
      }
    }
  }
  auto settled = [&](const UnknownFile& file) {
    const Entry& entry = chain.diffs[file.step].entries[file.entry];
    return !all && sizes.at(entry.path).at(entry.size) < 2;
  };
  unknown.erase(std::remove_if(unknown.begin(), unknown.end(), settled),
                unknown.end());
  return unknown;
}

absl::StatusOr<Digest> HashFile(int folder, const std::string& path,
                                std::string& buffer) {
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenBeneath(folder, path, O_RDONLY | O_NOFOLLOW));
  Hasher hasher;
  while (true) {
    ASSIGN_OR_RETURN(size_t size,
                     ReadFull(fd.get(), buffer.data(), buffer.size()));
    hasher.Update(buffer.data(), size);
    if (size < buffer.size()) {
      return hasher.Finish();
    }
  }
}

absl::Status FillDigests(ChainDiffs& chain, bool all, Store& store) {
  std::string buffer(1 << 20, '\0');
  std::optional<size_t> opened;
  UniqueFd folder;
  for (const UnknownFile& file : FindUnknown(chain, all)) {
    if (opened != file.step) {
      // Only a folder has files without digests: a tar's are known.
      std::string path = JoinPath(
          store.LayerFolder(*chain.layers[file.step]), "fs");
      ASSIGN_OR_RETURN(folder, OpenFile(path, O_PATH | O_DIRECTORY));
      opened = file.step;
    }
    Entry& entry = chain.diffs[file.step].entries[file.entry];
    ASSIGN_OR_RETURN(entry.digest, HashFile(folder.get(), entry.path, buffer));
  }
  return absl::OkStatus();
}

// --- events ------------------------------------------------------------------

ir::PathState StateOf(const Entry& entry, const std::string& unknown_body) {
  ir::PathState state;
  state.type = entry.type;
  state.mode = entry.mode;
  state.uid = entry.uid;
  state.gid = entry.gid;
  state.mtime = entry.mtime;
  state.xattrs = entry.xattrs;
  if (entry.type == EntryType::kFile) {
    state.size = entry.size;
    state.body =
        entry.digest.empty() ? unknown_body : entry.digest.ToString();
  } else if (entry.type == EntryType::kSymlink) {
    state.body = entry.link;
  } else if (entry.type == EntryType::kCharDevice ||
             entry.type == EntryType::kBlockDevice) {
    state.body = absl::StrCat(entry.major, ":", entry.minor);
  }
  return state;
}

// Deletions first, then what the step put, as traces have it.
std::vector<ir::PathEvent> EventsOf(const ir::StepDiff& diff, size_t step) {
  std::vector<ir::PathEvent> events;
  std::map<absl::string_view, std::string> groups;  // By the first name.
  std::map<absl::string_view, const Entry*> files;
  for (const Entry& entry : diff.entries) {
    if (entry.type == EntryType::kHardLink) {
      groups[entry.link] = absl::StrCat(step, ":", entry.link);
    } else if (entry.type == EntryType::kFile) {
      files[entry.path] = &entry;
    } else if (entry.type == EntryType::kWhiteout) {
      events.push_back({entry.path, std::nullopt});
    }
  }
  std::map<std::string, ir::PathState, ir::PathLess> puts;
  for (const Entry& entry : diff.entries) {
    if (IsDeletion(entry) || entry.path.empty()) {
      continue;
    }
    bool link = entry.type == EntryType::kHardLink;
    auto bytes = files.find(link ? entry.link : entry.path);
    const Entry& from =
        link && bytes != files.end() ? *bytes->second : entry;
    ir::PathState state =
        StateOf(from, absl::StrCat("step ", step, " ", from.path));
    auto group = groups.find(from.path);
    state.link = group != groups.end() ? group->second : "";
    puts.emplace(entry.path, std::move(state));
  }
  for (auto& [path, state] : puts) {
    events.push_back({path, std::move(state)});
  }
  return events;
}

// The base's states at the paths that steps touch, and below those that they
// delete or turn into something else: a folder made anew must not show them.
std::vector<ir::PathEvent> BaseEvents(const ChainDiffs& chain) {
  std::set<std::string, ir::PathLess> touched;
  for (const ir::StepDiff& diff : chain.diffs) {
    for (const Entry& entry : diff.entries) {
      if (chain.base.Find(entry.path) == nullptr ||
          !touched.insert(entry.path).second) {
        continue;
      }
      if (entry.type != EntryType::kDirectory) {
        for (const ir::Tree::Item* item : chain.base.Below(entry.path)) {
          touched.insert(item->entry.path);
        }
      }
    }
  }
  // A group of names counts as a whole.
  std::set<std::string> leaders;
  for (const std::string& path : touched) {
    const Entry& entry = chain.base.Find(path)->entry;
    leaders.insert(entry.link.empty() ? path : entry.link);
  }
  std::set<std::string> groups;
  for (const auto& [path, item] : chain.base.items()) {
    if (item.entry.type == EntryType::kFile &&
        leaders.contains(item.entry.link)) {
      touched.insert(path);
      touched.insert(item.entry.link);
      groups.insert(item.entry.link);
    }
  }
  std::vector<ir::PathEvent> events;
  for (const std::string& path : touched) {
    const Entry& entry = chain.base.Find(path)->entry;
    if (path.empty()) {
      continue;
    }
    ir::PathState state = StateOf(entry, absl::StrCat("base ", path));
    const std::string& first = entry.link.empty() ? path : entry.link;
    if (entry.type == EntryType::kFile && groups.contains(first)) {
      state.link = absl::StrCat("0:", first);
    }
    events.push_back({path, std::move(state)});
  }
  return events;
}

absl::string_view KindOf(const ir::Node& node) {
  if (std::holds_alternative<ir::Run>(node.op)) {
    return "run";
  }
  return std::holds_alternative<ir::Copy>(node.op) ? "copy" : "workdir";
}

}  // namespace

TargetChain FindChain(const ir::BuildGraph& graph, const ir::Target& target) {
  TargetChain chain;
  ir::NodeId at = target.root;
  while (IsStep(graph.nodes[at].op)) {
    chain.steps.push_back(at);
    at = graph.nodes[at].inputs[0];
  }
  std::reverse(chain.steps.begin(), chain.steps.end());
  chain.base = at;
  return chain;
}

absl::StatusOr<ChainDiffs> ReadChainDiffs(
    const std::vector<LayerId>& base_layers,
    const std::vector<std::optional<LayerId>>& layers, bool all_digests,
    Store& store) {
  ChainDiffs chain;
  chain.base_layers = base_layers;
  chain.layers = layers;
  for (LayerId id : base_layers) {
    ASSIGN_OR_RETURN(ir::StepDiff diff, store.ReadDiff(id));
    chain.base.Apply(diff);
  }
  chain.diffs.resize(layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].has_value()) {
      ASSIGN_OR_RETURN(chain.diffs[i], store.ReadDiff(*layers[i]));
    }
  }
  RETURN_IF_ERROR(FillDigests(chain, all_digests, store));
  return chain;
}

ir::Trace MakeTrace(const ChainDiffs& chain) {
  ir::Trace trace;
  trace.base_layers = static_cast<int>(chain.base_layers.size());
  trace.base = BaseEvents(chain);
  for (size_t i = 0; i < chain.diffs.size(); ++i) {
    trace.steps.emplace_back();
    trace.steps.back().events = EventsOf(chain.diffs[i], i + 1);
  }
  return trace;
}

void DescribeSteps(const ir::BuildGraph& graph, const TargetChain& chain,
                   const SourceFile& source, ir::Trace& trace) {
  for (size_t i = 0; i < chain.steps.size(); ++i) {
    const ir::Node& node = graph.nodes[chain.steps[i]];
    trace.steps[i].kind = std::string(KindOf(node));
    trace.steps[i].text = node.text;
    trace.steps[i].line = static_cast<int>(source.Position(node.source.begin).line);
  }
}

}  // namespace lamina::backend
