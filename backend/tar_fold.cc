#include "backend/tar_fold.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "backend/tar_fold_parser.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

using ir::EntryType;
using ir::PathState;

constexpr int kMostSymlinks = 40;
constexpr size_t kMostBrokenRules = 1000;

std::string Above(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? ""
                                                      : path.substr(0, slash));
}

std::string Join(absl::string_view folder, absl::string_view name) {
  return folder.empty() ? std::string(name) : absl::StrCat(folder, "/", name);
}

bool IsUnder(absl::string_view path, absl::string_view folder) {
  return folder.empty() ||
         (path.size() > folder.size() && path[folder.size()] == '/' &&
          absl::StartsWith(path, folder));
}

absl::Status Impossible(absl::string_view what) {
  return absl::FailedPreconditionError(what);
}

// Where a path leads, and what it met on the way.
struct Place {
  std::string path;
  bool missing = false;   // A folder above it does not exist.
  bool symlinks = false;  // It goes through symlinks.
  std::string file;       // A file that it goes through; then it leads nowhere.
};

}  // namespace

struct TarFold::Impl {
  explicit Impl(TarRules the_rules)
      : rules(the_rules),
        parser([this](FoldMember member) { return Apply(std::move(member)); }) {
  }

  absl::Status Apply(FoldMember member);
  absl::Status Put(FoldMember& member);
  absl::Status PutLink(const FoldMember& member, const std::string& path);
  absl::Status Whiteout(const FoldMember& member, absl::string_view name);
  absl::Status Opaque(const FoldMember& member);
  void RemoveLower(const std::string& path, bool keep_self);

  absl::StatusOr<Place> Resolve(absl::string_view path, bool follow_last) const;
  absl::StatusOr<Place> FindPlace(const std::string& path) const;
  const PathState* Find(const std::string& path) const;
  bool IsFolder(const std::string& path) const;
  void MakeFolders(const std::string& path);
  void Remove(const std::string& path);
  ir::PathStates::iterator Drop(ir::PathStates::iterator at);
  void LeaveGroup(const std::string& path, const std::string& link);
  std::string GroupOf(const std::string& path);
  void Break(absl::string_view path, absl::string_view rule);

  const TarRules rules;
  FoldParser parser;
  ir::PathStates states;
  std::optional<PathState> root;
  // The names of each inode that has several, by the text of its link.
  std::map<std::string, std::set<std::string>> groups;
  int64_t next_group = 0;
  // Of the current layer: what it says about a path, and which paths it named.
  absl::flat_hash_set<std::string> own;
  std::vector<std::string> broken;
  std::vector<std::string> broken_before;  // Of the layer ended last.
  bool bottom = true;                      // Nothing lies below.
  int layers = 0;
};

void TarFold::Impl::Break(absl::string_view path, absl::string_view rule) {
  if (broken.size() < kMostBrokenRules) {
    broken.push_back(absl::StrCat("`", EscapeControls(path), "` ", rule));
  }
}

const PathState* TarFold::Impl::Find(const std::string& path) const {
  const auto found = states.find(path);
  return found == states.end() ? nullptr : &found->second;
}

bool TarFold::Impl::IsFolder(const std::string& path) const {
  const PathState* state = Find(path);
  return path.empty() ||
         (state != nullptr && state->type == EntryType::kDirectory);
}

// As the kernel would in a chroot; what does not exist is taken as written.
absl::StatusOr<Place> TarFold::Impl::Resolve(absl::string_view path,
                                             bool follow_last) const {
  std::deque<std::string> todo = absl::StrSplit(path, '/', absl::SkipEmpty());
  Place place;
  int symlinks = 0;
  while (!todo.empty()) {
    const std::string name = std::move(todo.front());
    todo.pop_front();
    if (name == "." || name == "..") {
      place.path = name == "." ? place.path : Above(place.path);
      continue;
    }
    std::string next = Join(place.path, name);
    const PathState* state = Find(next);
    const bool last = todo.empty();
    if (state != nullptr && state->type == EntryType::kSymlink &&
        (follow_last || !last)) {
      if (++symlinks > kMostSymlinks) {
        return Impossible("its parents are more than 40 symlinks");
      }
      place.symlinks = true;
      const absl::string_view target = state->body;
      place.path = absl::StartsWith(target, "/") ? "" : place.path;
      const std::vector<std::string> parts =
          absl::StrSplit(target, '/', absl::SkipEmpty());
      todo.insert(todo.begin(), parts.begin(), parts.end());
      continue;
    }
    if (state != nullptr && state->type != EntryType::kDirectory &&
        (follow_last || !last)) {
      place.file = std::move(next);
      return place;
    }
    place.path = std::move(next);
  }
  place.missing = !IsFolder(Above(place.path));
  return place;
}

// The place of an entry: symlinks above it are followed, not it itself.
absl::StatusOr<Place> TarFold::Impl::FindPlace(const std::string& path) const {
  // What has a record has real folders above it.
  if (IsFolder(Above(path))) {
    return Place{.path = path};
  }
  return Resolve(path, /*follow_last=*/false);
}

void TarFold::Impl::MakeFolders(const std::string& path) {
  if (path.empty() || states.contains(path)) {
    return;
  }
  MakeFolders(Above(path));
  states[path] = PathState{.type = EntryType::kDirectory, .mode = 0755};
}

absl::Status TarFold::Impl::Apply(FoldMember member) {
  if (!member.oddity.empty()) {
    Break(member.path, member.oddity);
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(member.path, '/');
  for (absl::string_view part : parts) {
    const bool last = part.data() == parts.back().data();
    if (last && part == ".wh..wh..opq") {
      return Opaque(member);
    }
    if (absl::StartsWith(part, ".wh..wh.")) {
      Break(member.path, "is what AUFS leaves behind");
      return absl::OkStatus();
    }
    if (!last && absl::StartsWith(part, ".wh.")) {
      return Impossible("a folder whose name begins with `.wh.`");
    }
  }
  absl::string_view name = parts.back();
  return absl::ConsumePrefix(&name, ".wh.") ? Whiteout(member, name)
                                            : Put(member);
}

absl::Status TarFold::Impl::Whiteout(const FoldMember& member,
                                     absl::string_view name) {
  if (name.empty() || name == "." || name == "..") {
    return Impossible("a whiteout that deletes no name");
  }
  const bool repeated = !own.insert(member.path).second;
  if (member.state.type != EntryType::kFile || member.state.size != 0) {
    Break(member.path, "is a whiteout but no empty file");
  }
  ASSIGN_OR_RETURN(const Place place,
                   FindPlace(Join(Above(member.path), name)));
  // Below a file or a missing folder there is nothing to be deleted.
  const bool found = place.file.empty() && Find(place.path) != nullptr;
  if (repeated) {
    Break(member.path, "stands twice");
  } else if (bottom) {
    Break(member.path, "is a whiteout in the bottom layer");
  } else if (!found || place.symlinks) {
    Break(member.path, "is a whiteout of nothing");
  }
  if (found) {
    RemoveLower(place.path, /*keep_self=*/false);
  }
  return absl::OkStatus();
}

absl::Status TarFold::Impl::Opaque(const FoldMember& member) {
  Break(member.path, "is an opaque marker");
  ASSIGN_OR_RETURN(const Place place,
                   Resolve(Above(member.path), /*follow_last=*/true));
  if (place.file.empty()) {
    RemoveLower(place.path, /*keep_self=*/true);
  }
  return absl::OkStatus();
}

// Removes what the layers below have at `path`. What this layer put there
// stays, and the folders above that, of which nothing is known any more.
void TarFold::Impl::RemoveLower(const std::string& path, bool keep_self) {
  absl::flat_hash_set<std::string> kept;
  const auto begin = path.empty() ? states.begin() : states.lower_bound(path);
  const auto in_range = [&path](const std::string& at) {
    return at == path || IsUnder(at, path);
  };
  for (auto at = begin; at != states.end() && in_range(at->first); ++at) {
    for (std::string above = own.contains(at->first) ? at->first : "";
         !above.empty() && kept.insert(above).second;) {
      above = Above(above);
    }
  }
  for (auto at = begin; at != states.end() && in_range(at->first);) {
    const bool self = keep_self && at->first == path;
    if (self || own.contains(at->first)) {
      ++at;
    } else if (kept.contains(at->first)) {
      at->second = PathState{.type = EntryType::kDirectory, .mode = 0755};
      ++at;
    } else {
      at = Drop(at);
    }
  }
}

absl::Status TarFold::Impl::Put(FoldMember& member) {
  if (member.path.empty()) {
    if (!own.insert("").second) {
      Break("./", "stands twice");
    }
    root = std::move(member.state);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const Place place, FindPlace(member.path));
  if (!place.file.empty()) {
    return Impossible(absl::StrCat("it is below `", EscapeControls(place.file),
                                   "`, which is no folder"));
  }
  if (place.missing) {
    Break(member.path, "has no parent in the layer or below it");
  }
  if (place.symlinks) {
    Break(member.path, "is below a symlink");
  }
  const std::string& path = place.path;
  if (own.contains(path)) {
    Break(path, "stands twice");
  }
  if (member.hard_link) {
    return PutLink(member, path);
  }
  MakeFolders(Above(path));
  const PathState* old = Find(path);
  const bool keeps_children = member.state.type == EntryType::kDirectory &&
                              old != nullptr &&
                              old->type == EntryType::kDirectory;
  if (!keeps_children) {
    Remove(path);
  }
  own.insert(path);
  states.insert_or_assign(path, std::move(member.state));
  return absl::OkStatus();
}

absl::Status TarFold::Impl::PutLink(const FoldMember& member,
                                    const std::string& path) {
  ASSIGN_OR_RETURN(const Place target,
                   Resolve(member.target, /*follow_last=*/false));
  const PathState* found = target.file.empty() ? Find(target.path) : nullptr;
  if (found == nullptr || found->type == EntryType::kDirectory) {
    return Impossible(absl::StrCat(
        "a hard link to `", EscapeControls(member.target), "`, ",
        found == nullptr ? "which does not exist" : "which is a folder"));
  }
  if (!own.contains(target.path)) {
    Break(path, "is a hard link to a file of another layer");
  }
  if (target.path != member.target) {
    Break(path, "is a hard link whose target is not the plain path");
  }
  if (target.path == path) {
    return absl::OkStatus();
  }
  if (IsUnder(target.path, path)) {
    return Impossible("a hard link in place of the folder of its target");
  }
  MakeFolders(Above(path));
  Remove(path);
  own.insert(path);
  const std::string link = GroupOf(target.path);
  groups[link].insert(path);
  PathState state = *Find(target.path);
  states.insert_or_assign(path, std::move(state));
  return absl::OkStatus();
}

// The link text of the inode at `path`, which gets one.
std::string TarFold::Impl::GroupOf(const std::string& path) {
  std::string& link = states.at(path).link;
  while (link.empty()) {
    std::string text = absl::StrCat("inode ", ++next_group);
    if (!groups.contains(text)) {
      groups[text].insert(path);
      link = std::move(text);
    }
  }
  return link;
}

void TarFold::Impl::LeaveGroup(const std::string& path,
                               const std::string& link) {
  const auto group = groups.find(link);
  CHECK(group != groups.end());
  group->second.erase(path);
  if (group->second.size() <= 1) {
    for (const std::string& last : group->second) {
      states.at(last).link.clear();
    }
    groups.erase(group);
  }
}

ir::PathStates::iterator TarFold::Impl::Drop(ir::PathStates::iterator at) {
  if (!at->second.link.empty()) {
    LeaveGroup(at->first, at->second.link);
  }
  return states.erase(at);
}

// Makes room for an entry of this layer; what it made there itself goes too.
void TarFold::Impl::Remove(const std::string& path) {
  auto at = states.lower_bound(path);
  while (at != states.end() &&
         (at->first == path || IsUnder(at->first, path))) {
    own.erase(at->first);
    at = Drop(at);
  }
}

TarFold::TarFold(TarRules rules) : impl_(std::make_unique<Impl>(rules)) {}
TarFold::~TarFold() = default;
TarFold::TarFold(TarFold&&) noexcept = default;
TarFold& TarFold::operator=(TarFold&&) noexcept = default;

void TarFold::StartFrom(ir::PathStates states, std::optional<PathState> root) {
  impl_->bottom = states.empty() && !root.has_value();
  impl_->states = std::move(states);
  impl_->root = std::move(root);
  impl_->groups.clear();
  for (const auto& [path, state] : impl_->states) {
    if (!state.link.empty()) {
      impl_->groups[state.link].insert(path);
    }
  }
}

absl::Status TarFold::Add(absl::string_view bytes) {
  return impl_->parser.Add(bytes);
}

absl::Status TarFold::EndLayer() {
  Impl& impl = *impl_;
  const absl::Status status = impl.parser.Finish();
  if (!impl.parser.ended_properly() && impl.broken.size() < kMostBrokenRules) {
    impl.broken.push_back("the tar does not end in exactly two zero blocks");
  }
  impl.own.clear();
  impl.broken_before = std::exchange(impl.broken, {});
  impl.bottom = false;
  ++impl.layers;
  if (!status.ok() || impl.rules == TarRules::kForeign ||
      impl.broken_before.empty()) {
    return status;
  }
  const size_t more = impl.broken_before.size() - 1;
  return absl::FailedPreconditionError(absl::StrCat(
      "layer ", impl.layers, ": ", impl.broken_before.front(),
      more == 0 ? "" : absl::StrCat(", and ", more, " more broken rules")));
}

const ir::PathStates& TarFold::states() const { return impl_->states; }
const std::optional<PathState>& TarFold::root() const { return impl_->root; }
int TarFold::layers() const { return impl_->layers; }
const std::vector<std::string>& TarFold::broken_rules() const {
  return impl_->broken_before;
}

}  // namespace lamina::backend
