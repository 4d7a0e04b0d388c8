// The first half of COPY: which paths of the source are meant.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "backend/copy.h"
#include "backend/tar/tar_reader.h"
#include "base/status.h"
#include "base/text.h"
#include "ir/patterns.h"

namespace lamina::backend {
namespace {

std::string Relative(absl::string_view path) {
  return CleanPath(absl::StrCat("/", path)).substr(1);
}

class SourceLister {
 public:
  SourceLister(const ir::Copy& copy, ir::IgnoreMatcher exclude)
      : copy_(copy), exclude_(std::move(exclude)) {}

  absl::StatusOr<CopyListing> List(const SourceTrees& trees) {
    for (size_t i = 0; i < copy_.sources.size(); ++i) {
      uint32_t input = copy_.InputOf(i);
      CHECK(input >= 1 && input <= trees.size());
      source_ = trees[input - 1];
      if (source_ == nullptr) {
        listing_.complete = false;
        ++match_;  // It is one match: a file, or a root.
        continue;
      }
      size_t before = listing_.items.size();
      RETURN_IF_ERROR(copy_.parents ? AddWithParents(copy_.sources[i])
                                    : AddMatches(copy_.sources[i]));
      for (; before < listing_.items.size(); ++before) {
        listing_.items[before].input = input;
        listing_.items[before].remote = source_->kind != SourceKind::kPaths;
      }
    }
    return std::move(listing_);
  }

 private:
  absl::StatusOr<std::string> Follow(const std::string& path) {
    return FollowPath(path, /*follow_last=*/true,
                      [this](const std::string& at) -> absl::StatusOr<PathKind> {
                        ASSIGN_OR_RETURN(auto item, source_->find(at));
                        PathKind kind;
                        kind.exists = item.has_value();
                        if (kind.exists && item->entry.type ==
                                               ir::EntryType::kSymlink) {
                          kind.is_symlink = true;
                          kind.link = item->entry.link;
                          NoteEscape(at, kind.link);
                        }
                        return kind;
                      });
  }

  // Remembers a link that points out of the source, for the error message: it
  // resolves inside, which is rarely what its author thought of.
  void NoteEscape(const std::string& at, const std::string& link) {
    std::string lexical = absl::StartsWith(link, "/")
                              ? ".."
                              : CleanPath(JoinPath(DirName(at), link));
    if (absl::StartsWith(link, "/") || absl::StartsWith(lexical, "..")) {
      escape_ = absl::StrCat("; the symbolic link `", at, "` -> `", link,
                             "` leads out of the build context and resolves "
                             "inside it");
    }
  }

  absl::Status Missing(const std::string& path) {
    std::string hint = escape_;
    absl::StatusOr<std::string> folder = Follow(std::string(DirName(path)));
    std::vector<std::string> names;
    if (folder.ok()) {
      absl::StatusOr<std::vector<SourceItem>> siblings =
          source_->children(*folder);
      if (siblings.ok()) {
        for (const SourceItem& sibling : *siblings) {
          names.emplace_back(BaseName(sibling.entry.path));
        }
      }
    }
    std::optional<std::string> near =
        Closest(BaseName(path), names);
    if (hint.empty() && near.has_value()) {
      hint = absl::StrCat("; did you mean `", JoinPath(DirName(path), *near),
                          "`?");
    }
    return absl::NotFoundError(absl::StrCat("\"/", path, "\": not found", hint));
  }

  absl::Status AddMatches(const std::string& written) {
    std::string path = Relative(written);
    if (!ir::HasWildcard(path)) {
      return AddNamed(path);
    }
    ASSIGN_OR_RETURN(std::vector<std::string> found, Expand(path));
    for (const std::string& match : found) {
      RETURN_IF_ERROR(AddNamed(match));
    }
    if (found.empty()) {
      listing_.unmatched.push_back(written);
    }
    return absl::OkStatus();
  }

  // The paths that a wildcard matches.
  absl::StatusOr<std::vector<std::string>> Expand(const std::string& wildcard) {
    std::vector<std::string> found;
    RETURN_IF_ERROR(ExpandParts(
        "", absl::StrSplit(wildcard, '/', absl::SkipEmpty()), 0, found));
    return found;
  }

  // Matches parts[at...] below `folder`. A literal part needs no listing.
  absl::Status ExpandParts(const std::string& folder,
                           const std::vector<std::string>& parts, size_t at,
                           std::vector<std::string>& found) {
    ASSIGN_OR_RETURN(std::string real, Follow(folder));
    ASSIGN_OR_RETURN(auto here, source_->find(real));
    if (!here.has_value() ||
        here->entry.type != ir::EntryType::kDirectory) {
      return absl::OkStatus();
    }
    std::vector<std::string> names;
    if (!ir::HasWildcard(parts[at])) {
      names.push_back(parts[at]);
    } else {
      ASSIGN_OR_RETURN(std::vector<SourceItem> items, source_->children(real));
      for (const SourceItem& item : items) {
        std::string name(BaseName(item.entry.path));
        ASSIGN_OR_RETURN(bool matches, ir::MatchWildcard(parts[at], name));
        if (matches) {
          names.push_back(std::move(name));
        }
      }
    }
    for (const std::string& name : names) {
      std::string path = JoinPath(folder, name);
      if (at + 1 < parts.size()) {
        RETURN_IF_ERROR(ExpandParts(path, parts, at + 1, found));
        continue;
      }
      ASSIGN_OR_RETURN(std::string target, Follow(path));
      ASSIGN_OR_RETURN(auto item, source_->find(target));
      if (item.has_value()) {
        found.push_back(std::move(path));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddNamed(const std::string& path) {
    ASSIGN_OR_RETURN(std::string real, Follow(path));
    ASSIGN_OR_RETURN(auto item, source_->find(real));
    if (!item.has_value()) {
      return Missing(path);
    }
    PickedItem picked;
    picked.match = match_++;
    if (item->entry.type == ir::EntryType::kDirectory) {
      return AddFolder(std::move(*item), picked.match);
    }
    picked.name = std::string(BaseName(path));
    picked.item = std::move(*item);
    if (Unpacks() && picked.item.entry.type == ir::EntryType::kFile) {
      ASSIGN_OR_RETURN(picked.archive, IsArchive(real));
    }
    listing_.items.push_back(std::move(picked));
    return absl::OkStatus();
  }

  absl::Status AddFolder(SourceItem folder, uint32_t match) {
    std::string path = folder.entry.path;
    PickedItem top;
    top.match = match;
    top.from_folder = true;
    top.item = std::move(folder);
    listing_.items.push_back(std::move(top));
    return AddBelow(path, "", match, ir::IgnoreMemory());
  }

  absl::Status AddBelow(const std::string& folder, const std::string& name,
                        uint32_t match, const ir::IgnoreMemory& memory) {
    ASSIGN_OR_RETURN(std::vector<SourceItem> items, source_->children(folder));
    for (SourceItem& item : items) {
      PickedItem picked;
      picked.match = match;
      picked.from_folder = true;
      picked.name = JoinPath(name, BaseName(item.entry.path));
      ir::IgnoreMemory below;
      bool excluded = !exclude_.empty() &&
                      exclude_.Ignored(picked.name, memory, below);
      bool is_folder = item.entry.type == ir::EntryType::kDirectory;
      if (excluded && !(is_folder && exclude_.MustEnter(picked.name))) {
        continue;
      }
      std::string path = item.entry.path;
      std::string inner = picked.name;
      size_t position = listing_.items.size();
      picked.item = std::move(item);
      listing_.items.push_back(std::move(picked));
      if (is_folder) {
        RETURN_IF_ERROR(AddBelow(path, inner, match, below));
        // Only there for re-included children, and there are none.
        if (excluded && listing_.items.size() == position + 1) {
          listing_.items.pop_back();
        }
      }
    }
    return absl::OkStatus();
  }

  // --parents: what stands before `/./` is the root of the copy, the rest is a
  // pattern and is kept as the path below the destination.
  absl::Status AddWithParents(const std::string& written) {
    size_t pivot = written.find("/./");
    std::string root =
        pivot == std::string::npos ? "" : Relative(written.substr(0, pivot));
    std::string pattern = Relative(
        pivot == std::string::npos ? written : written.substr(pivot + 3));
    std::vector<std::string> roots = {root};
    if (ir::HasWildcard(root)) {
      ASSIGN_OR_RETURN(roots, Expand(root));
    }
    size_t before = listing_.items.size();
    bool wildcard = ir::HasWildcard(pattern) || ir::HasWildcard(root);
    for (const std::string& path : roots) {
      ASSIGN_OR_RETURN(std::string real, Follow(path));
      ASSIGN_OR_RETURN(auto item, source_->find(real));
      if (item.has_value() &&
          item->entry.type == ir::EntryType::kDirectory) {
        RETURN_IF_ERROR(AddPattern(real, "", pattern, match_++, wildcard));
      }
    }
    if (listing_.items.size() == before) {
      if (!wildcard) {
        return Missing(JoinPath(root, pattern));
      }
      listing_.unmatched.push_back(written);
    }
    return absl::OkStatus();
  }

  absl::Status AddPattern(const std::string& folder, const std::string& name,
                          const std::string& pattern, uint32_t match,
                          bool wildcard) {
    ASSIGN_OR_RETURN(std::vector<SourceItem> items, source_->children(folder));
    for (SourceItem& item : items) {
      std::string path = item.entry.path;
      std::string inner = JoinPath(name, BaseName(path));
      bool is_folder = item.entry.type == ir::EntryType::kDirectory;
      bool matches = wildcard ? ir::MatchIgnorePattern(pattern, inner)
                              : pattern == inner;
      bool on_the_way = is_folder && !matches &&
                        (wildcard || absl::StartsWith(
                                         pattern, absl::StrCat(inner, "/")));
      if (!matches && !on_the_way) {
        continue;
      }
      PickedItem picked;
      picked.match = match;
      picked.from_folder = true;
      picked.name = inner;
      picked.item = std::move(item);
      size_t position = listing_.items.size();
      listing_.items.push_back(std::move(picked));
      if (matches && is_folder) {
        RETURN_IF_ERROR(AddBelow(path, inner, match, ir::IgnoreMemory()));
      } else if (on_the_way) {
        RETURN_IF_ERROR(AddPattern(path, inner, pattern, match, wildcard));
        if (listing_.items.size() == position + 1) {
          listing_.items.pop_back();  // Nothing below it matched.
        }
      }
    }
    return absl::OkStatus();
  }

  bool Unpacks() const {
    return source_->kind == SourceKind::kPaths  ? copy_.unpack
           : source_->kind == SourceKind::kFile ? copy_.unpack_remote
                                                : false;
  }

  absl::StatusOr<bool> IsArchive(const std::string& path) {
    ASSIGN_OR_RETURN(UniqueFd fd, source_->open(path));
    std::string format;
    absl::StatusOr<std::unique_ptr<ByteSource>> bytes =
        Decompress(MakeFdSource(fd.get()), &format);
    if (!bytes.ok()) {
      return false;
    }
    TarReader reader(**bytes);
    ir::Entry entry;
    absl::StatusOr<bool> first = reader.Next(entry);
    return first.ok() && *first;
  }

  const ir::Copy& copy_;
  const SourceTree* source_ = nullptr;  // Of the source that is listed.
  ir::IgnoreMatcher exclude_;
  CopyListing listing_;
  std::string escape_;
  uint32_t match_ = 0;
};

}  // namespace

absl::StatusOr<CopyListing> ListSources(const ir::Copy& copy,
                                        const SourceTrees& trees) {
  ASSIGN_OR_RETURN(ir::IgnoreMatcher exclude,
                   ir::IgnoreMatcher::Create(copy.exclude));
  return SourceLister(copy, std::move(exclude)).List(trees);
}

Digest ListingDigest(const CopyListing& listing, bool with_owners) {
  Hasher hasher;
  for (const PickedItem& picked : listing.items) {
    if (picked.remote) {
      continue;
    }
    ir::Entry entry = picked.item.entry;
    entry.path = picked.name;
    entry.mtime = 0;
    if (!with_owners) {
      entry.uid = 0;
      entry.gid = 0;
    }
    hasher.UpdateField(absl::StrCat(picked.match, picked.archive ? "a" : "",
                                    picked.from_folder ? "d" : ""));
    hasher.UpdateField(picked.item.same_file_as);
    hasher.UpdateField(ir::PrintStepDiff({{std::move(entry)}}));
  }
  return hasher.Finish();
}

std::string ListingSummary(const CopyListing& listing) {
  std::string out;
  for (const PickedItem& picked : listing.items) {
    if (picked.remote) {
      continue;
    }
    const ir::Entry& entry = picked.item.entry;
    ir::Entry stripped = entry;
    stripped.mtime = 0;
    stripped.uid = 0;
    stripped.gid = 0;
    Digest digest = entry.type == ir::EntryType::kFile && !entry.digest.empty()
                        ? entry.digest
                        : Sha256(ir::PrintStepDiff({{stripped}}));
    absl::StrAppend(&out, EscapeControls(entry.path), " ",
                    digest.hex().substr(0, 16), ":", entry.mode, "\n");
  }
  return out;
}

}  // namespace lamina::backend
