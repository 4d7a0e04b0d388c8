#include "ir/known_tree.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"

namespace lamina::ir {

std::optional<std::vector<Facts::Picked>> ListPicks(const BuildGraph& graph,
                                                    const Node& node,
                                                    const Facts& facts) {
  const auto* copy = std::get_if<Copy>(&node.op);
  if (copy == nullptr || copy->link || copy->parents || copy->unpack) {
    return std::nullopt;
  }
  std::optional<std::vector<Facts::Picked>> picks;
  picks.emplace();
  if (!copy->sources.empty()) {
    const auto* local =
        std::get_if<LocalFiles>(&graph.nodes[node.inputs[1]].op);
    if (local == nullptr || !facts.list_copy) {
      return std::nullopt;
    }
    picks = facts.list_copy(*copy, *local);
  }
  for (const InlineFile& file : copy->files) {
    if (picks.has_value()) {
      picks->push_back({file.name, false, {.mode = 0644}});
    }
  }
  return picks;
}

bool AreNamedFiles(const std::vector<Facts::Picked>& picks) {
  return std::all_of(picks.begin(), picks.end(), [](const auto& picked) {
    return !picked.from_folder && picked.entry.type == EntryType::kFile;
  });
}

std::optional<KnownTree> KnownTree::After(const BuildGraph& graph, NodeId node,
                                          const Facts& facts) {
  std::vector<NodeId> steps;  // Top first.
  while (!graph.nodes[node].inputs.empty()) {
    if (std::holds_alternative<Run>(graph.nodes[node].op)) {
      return std::nullopt;
    }
    steps.push_back(node);
    node = graph.nodes[node].inputs[0];
  }
  KnownTree tree;
  const Op& root = graph.nodes[node].op;
  if (const auto* image = std::get_if<BaseImage>(&root)) {
    tree.base_ = facts.base_tree ? facts.base_tree(*image) : nullptr;
    if (tree.base_ == nullptr) {
      return std::nullopt;
    }
  } else if (!std::holds_alternative<Scratch>(root)) {
    return std::nullopt;
  }
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (!tree.Apply(graph, graph.nodes[*step], facts)) {
      return std::nullopt;
    }
  }
  return tree;
}

const Entry* KnownTree::Find(const std::string& path) const {
  auto added = added_.find(path);
  if (added != added_.end()) {
    return &added->second;
  }
  const Tree::Item* item = base_ == nullptr ? nullptr : base_->Find(path);
  return item == nullptr ? nullptr : &item->entry;
}

bool KnownTree::IsFolder(const std::string& path) const {
  const Entry* entry = Find(path);
  return path.empty() ||
         (entry != nullptr && entry->type == EntryType::kDirectory);
}

std::optional<std::string> KnownTree::Resolve(const std::string& path) const {
  std::vector<std::string> rest;  // The next part is the last one.
  auto push = [&](absl::string_view text) {
    std::vector<std::string> parts = absl::StrSplit(text, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (!part->empty() && *part != ".") {
        rest.push_back(*part);
      }
    }
  };
  push(path);
  std::string at;
  for (int links = 0; !rest.empty();) {
    std::string part = rest.back();
    rest.pop_back();
    if (part == "..") {
      if (!IsFolder(at)) {
        return std::nullopt;
      }
      at = std::string(DirName(at));
      continue;
    }
    std::string next = JoinPath(at, part);
    const Entry* entry = Find(next);
    if (entry != nullptr && entry->type == EntryType::kSymlink) {
      if (++links > 40) {
        return std::nullopt;
      }
      at = absl::StartsWith(entry->link, "/") ? "" : at;
      push(entry->link);
      continue;
    }
    if (entry != nullptr && !rest.empty() && !IsFolder(next)) {
      return std::nullopt;
    }
    at = next;
  }
  return at;
}

bool KnownTree::IsPlain(const std::string& path) const {
  const Entry* entry = Find(path);
  return path.empty() ||
         ((entry == nullptr || entry->type != EntryType::kSymlink) &&
          IsPlain(std::string(DirName(path))));
}

bool KnownTree::Apply(const BuildGraph& graph, const Node& node,
                      const Facts& facts) {
  if (const auto* make = std::get_if<MakeDir>(&node.op)) {
    std::optional<std::string> path = Resolve(make->path.substr(1));
    return path.has_value() && MakeFolders(*path);
  }
  std::optional<std::vector<Facts::Picked>> picks =
      ListPicks(graph, node, facts);
  return picks.has_value() && Place(std::get<Copy>(node.op), *picks);
}

bool KnownTree::MakeFolders(const std::string& path) {
  if (IsFolder(path)) {
    return true;
  }
  if (Find(path) != nullptr || !MakeFolders(std::string(DirName(path)))) {
    return false;
  }
  added_[path].type = EntryType::kDirectory;
  return true;
}

bool KnownTree::Place(const Copy& copy,
                      const std::vector<Facts::Picked>& picks) {
  std::optional<std::string> target = Resolve(copy.destination.substr(1));
  if (!target.has_value()) {
    return false;
  }
  bool into = absl::EndsWith(copy.destination, "/") || IsFolder(*target);
  for (const Facts::Picked& picked : picks) {
    std::string path = *target;
    if (picked.from_folder) {
      path = JoinPath(*target, picked.name);
    } else if (into) {
      std::optional<std::string> found =
          Resolve(JoinPath(*target, picked.name));
      if (!found.has_value()) {
        return false;
      }
      path = *found;
    }
    bool is_folder = picked.entry.type == EntryType::kDirectory;
    bool conflicts = Find(path) != nullptr && IsFolder(path) != is_folder;
    if (conflicts || !MakeFolders(std::string(DirName(path)))) {
      return false;
    }
    if (!path.empty()) {
      added_[path] = picked.entry;
    }
  }
  return true;
}

bool IsSurelyFolder(const BuildGraph& graph, NodeId node,
                    const std::string& path, const Facts& facts) {
  if (path == "/") {
    return true;
  }
  if (std::optional<KnownTree> known = KnownTree::After(graph, node, facts)) {
    std::optional<std::string> found = known->Resolve(path.substr(1));
    return found.has_value() && known->IsFolder(*found);
  }
  while (!graph.nodes[node].inputs.empty()) {
    const Node& step = graph.nodes[node];
    if (const auto* make = std::get_if<MakeDir>(&step.op)) {
      if (make->path == path || absl::StartsWith(make->path, path + "/")) {
        return true;
      }
    } else {
      std::optional<std::vector<Facts::Picked>> picks =
          ListPicks(graph, step, facts);
      if (!picks.has_value() || !AreNamedFiles(*picks)) {
        return false;
      }
    }
    node = step.inputs[0];
  }
  return false;
}

}  // namespace lamina::ir
