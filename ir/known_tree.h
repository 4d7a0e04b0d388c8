// What is certain about files before anything has run: for passes that must
// prove where a copy writes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/pass.h"

namespace lamina::ir {

// What a COPY places, its inline files last; nothing when its source is not
// known, or when it follows rules of its own (archives, --parents, --link).
std::optional<std::vector<Facts::Picked>> ListPicks(const BuildGraph& graph,
                                                    const Node& node,
                                                    const Facts& facts);

// True if each is a regular file that was named directly. Such a copy replaces
// regular files only, so it changes no symlink and no folder.
bool AreNamedFiles(const std::vector<Facts::Picked>& picks);

// The types of all paths of a tree that no command has changed.
class KnownTree {
 public:
  // The tree after `node`; nothing if a command or an unknown file takes part.
  static std::optional<KnownTree> After(const BuildGraph& graph, NodeId node,
                                        const Facts& facts);

  // Paths are clean and relative, "" is the root. Null: nothing is there.
  const Entry* Find(const std::string& path) const;
  bool IsFolder(const std::string& path) const;
  // Follows symlinks; nothing for a loop or a file on the way.
  std::optional<std::string> Resolve(const std::string& path) const;
  // True if neither `path` nor a folder above it is a symlink.
  bool IsPlain(const std::string& path) const;

 private:
  bool Apply(const BuildGraph& graph, const Node& node, const Facts& facts);
  bool MakeFolders(const std::string& path);
  bool Place(const Copy& copy, const std::vector<Facts::Picked>& picks);

  const Tree* base_ = nullptr;  // Null: the empty tree.
  std::map<std::string, Entry> added_;
};

// True if `path`, absolute, leads to a folder in every tree that `node` can
// leave: known, or made by a WORKDIR since the last command.
bool IsSurelyFolder(const BuildGraph& graph, NodeId node,
                    const std::string& path, const Facts& facts);

}  // namespace lamina::ir
