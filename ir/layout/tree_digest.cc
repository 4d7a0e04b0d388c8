#include "ir/layout/tree_digest.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/digest.h"
#include "base/files.h"

namespace lamina::ir {
namespace {

constexpr absl::string_view kSeed = "lamina-tree-1\n";

const PathState& ImpliedFolder() {
  static const PathState& folder =
      *new PathState{.type = EntryType::kDirectory, .mode = 0755};
  return folder;
}

// The first path of each hard-link group with two or more names.
using GroupNames = std::map<absl::string_view, absl::string_view>;

GroupNames FindGroups(const PathStates& states) {
  std::map<absl::string_view, std::pair<absl::string_view, int>> groups;
  for (const auto& [path, state] : states) {
    if (!state.link.empty()) {
      ++groups.try_emplace(state.link, path, 0).first->second.second;
    }
  }
  GroupNames names;
  for (const auto& [link, group] : groups) {
    if (group.second > 1) {
      names.emplace(link, group.first);
    }
  }
  return names;
}

absl::string_view GroupName(const GroupNames& names, const PathState& state) {
  auto found = names.find(state.link);
  return state.link.empty() || found == names.end() ? "" : found->second;
}

std::string PrintXattrs(const PathState& state) {
  std::string out;
  for (const auto& [name, value] : state.xattrs) {
    absl::StrAppend(&out, out.empty() ? "" : ",", name, "=",
                    absl::BytesToHexString(value));
  }
  return out;
}

// Digests folders from the leaves up; paths come in entry order, so that a
// folder is complete when a path outside of it comes.
class Digester {
 public:
  explicit Digester(const GroupNames& names) : names_(names) {
    open_.push_back({"", ImpliedFolder(), std::string(kSeed)});
  }

  void Add(absl::string_view path, const PathState& state) {
    while (!IsOpen(path)) {
      Close();
    }
    // Folders that no record mentions.
    size_t begin = open_.back().path.empty() ? 0 : open_.back().path.size() + 1;
    for (size_t slash = path.find('/', begin); slash != absl::string_view::npos;
         slash = path.find('/', slash + 1)) {
      Open(path.substr(0, slash), ImpliedFolder());
    }
    if (state.type == EntryType::kDirectory) {
      Open(path, state);
    } else {
      AddRecord(path, state, state.body);
    }
  }

  std::string Finish() {
    while (open_.size() > 1) {
      Close();
    }
    return Sha256(open_.back().records).hex();
  }

 private:
  struct Folder {
    absl::string_view path;
    const PathState& state;
    std::string records;
  };

  bool IsOpen(absl::string_view path) const {
    absl::string_view folder = open_.back().path;
    return folder.empty() ||
           (absl::StartsWith(path, folder) && path.size() > folder.size() &&
            path[folder.size()] == '/');
  }

  void Open(absl::string_view path, const PathState& state) {
    open_.push_back({path, state, std::string(kSeed)});
  }

  void Close() {
    Folder done = std::move(open_.back());
    open_.pop_back();
    AddRecord(done.path, done.state, Sha256(done.records).hex());
  }

  void AddRecord(absl::string_view path, const PathState& state,
                 absl::string_view body) {
    const absl::string_view zero("\0", 1);
    absl::StrAppend(&open_.back().records, BaseName(path), zero,
                    std::string(1, static_cast<char>(state.type)), zero,
                    absl::StrFormat("%04o", state.mode), zero);
    absl::StrAppend(&open_.back().records, state.uid, zero, state.gid, zero,
                    state.mtime, zero);
    absl::StrAppend(&open_.back().records, body, zero, GroupName(names_, state),
                    zero);
    absl::StrAppend(&open_.back().records, PrintXattrs(state), zero);
  }

  const GroupNames& names_;
  std::vector<Folder> open_;
};

PathState StateOf(const Tree::Item& item) {
  const Entry& entry = item.entry;
  PathState state = {.type = entry.type,
                     .mode = entry.mode,
                     .uid = entry.uid,
                     .gid = entry.gid,
                     .mtime = entry.mtime,
                     .xattrs = entry.xattrs};
  switch (entry.type) {
    case EntryType::kFile:
      state.body = entry.digest.empty()
                       ? absl::StrCat("unknown:", item.layer, ":", entry.path)
                       : entry.digest.ToString();
      state.link = entry.link;
      state.size = entry.size;
      break;
    case EntryType::kSymlink:
      state.body = entry.link;
      break;
    case EntryType::kCharDevice:
    case EntryType::kBlockDevice:
      state.body = absl::StrCat(entry.major, ":", entry.minor);
      break;
    default:
      break;
  }
  return state;
}

// With a state for every folder that is only implied.
PathStates WithImplied(const PathStates& states) {
  PathStates all = states;
  for (const auto& [path, state] : states) {
    absl::string_view folder = DirName(path);
    while (!folder.empty() &&
           all.try_emplace(std::string(folder), ImpliedFolder()).second) {
      folder = DirName(folder);
    }
  }
  return all;
}

const char* BodyName(EntryType type) {
  switch (type) {
    case EntryType::kFile:
      return "content";
    case EntryType::kSymlink:
      return "target";
    default:
      return "device";
  }
}

// What differs between the states of one path.
class Comparison {
 public:
  Comparison(std::vector<TreeDifference>& found, size_t limit)
      : found_(found), limit_(limit) {}

  void Field(const std::string& path, const char* field, std::string first,
             std::string second) {
    if (first != second && found_.size() < limit_) {
      found_.push_back({path, field, std::move(first), std::move(second)});
    }
  }

  void States(const std::string& path, const PathState& a, const PathState& b) {
    Field(path, "type", std::string(1, static_cast<char>(a.type)),
          std::string(1, static_cast<char>(b.type)));
    Field(path, "mode", absl::StrFormat("%04o", a.mode),
          absl::StrFormat("%04o", b.mode));
    Field(path, "uid", absl::StrCat(a.uid), absl::StrCat(b.uid));
    Field(path, "gid", absl::StrCat(a.gid), absl::StrCat(b.gid));
    Field(path, "mtime", absl::StrCat(a.mtime), absl::StrCat(b.mtime));
    if (a.type == b.type) {
      Field(path, BodyName(a.type), a.body, b.body);
    }
    Field(path, "xattrs", PrintXattrs(a), PrintXattrs(b));
  }

 private:
  std::vector<TreeDifference>& found_;
  size_t limit_;
};

}  // namespace

std::string TreeDigest(const PathStates& states) {
  GroupNames names = FindGroups(states);
  Digester digester(names);
  for (const auto& [path, state] : states) {
    digester.Add(path, state);
  }
  return digester.Finish();
}

PathStates StatesOf(const Tree& tree) {
  PathStates states;
  std::vector<PathState*> links;
  for (const auto& [path, item] : tree.items()) {
    auto added = states.emplace_hint(states.end(), path, StateOf(item));
    if (!added->second.link.empty()) {
      links.push_back(&added->second);
    }
  }
  // The path with the bytes names the group and belongs to it.
  for (PathState* link : links) {
    auto bytes = states.find(link->link);
    if (bytes != states.end()) {
      bytes->second.link = bytes->first;
      link->body = bytes->second.body;
    }
  }
  return states;
}

std::vector<TreeDifference> CompareTrees(const PathStates& first,
                                         const PathStates& second,
                                         size_t limit) {
  PathStates left = WithImplied(first);
  PathStates right = WithImplied(second);
  GroupNames left_names = FindGroups(left);
  GroupNames right_names = FindGroups(right);
  std::vector<TreeDifference> found;
  Comparison comparison(found, limit);
  auto a = left.begin();
  auto b = right.begin();
  while ((a != left.end() || b != right.end()) && found.size() < limit) {
    if (b == right.end() ||
        (a != left.end() && PathLess()(a->first, b->first))) {
      comparison.Field(a->first, "presence", "present", "absent");
      ++a;
    } else if (a == left.end() || PathLess()(b->first, a->first)) {
      comparison.Field(b->first, "presence", "absent", "present");
      ++b;
    } else {
      comparison.States(a->first, a->second, b->second);
      comparison.Field(a->first, "link",
                       std::string(GroupName(left_names, a->second)),
                       std::string(GroupName(right_names, b->second)));
      ++a;
      ++b;
    }
  }
  return found;
}

}  // namespace lamina::ir
