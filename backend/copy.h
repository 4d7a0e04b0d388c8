// COPY and ADD without a file system: from a source tree and the metadata of
// the destination to the step diff (dockerfile.md 10). Two halves, because the
// first alone decides the cache key and the second alone needs the
// destination.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/file_mode.h"
#include "backend/source_tree.h"
#include "ir/layout/step_diff.h"
#include "ir/layout/tree.h"
#include "ir/op.h"

namespace lamina::backend {

// One path that a COPY takes from its source.
struct PickedItem {
  SourceItem item;       // `entry.path` is the path in the source.
  std::string name;      // Below the destination: a base name for something
                         // named directly; the path inside a copied folder,
                         // "" for that folder itself.
  uint32_t match = 0;    // Which match of a source this belongs to.
  uint32_t input = 1;    // Position in Node::inputs of the tree it is in.
  // The input's chain names the bytes: they are no part of the listing's digest.
  bool remote = false;
  bool from_folder = false;  // Part of a copied folder.
  bool archive = false;      // ADD: to be unpacked.
};

struct CopyListing {
  std::vector<PickedItem> items;
  // Sources that are wildcards without a match.
  std::vector<std::string> unmatched;
  bool complete = true;  // False: a tree was not there to be listed.
};

// The trees of a copy's sources: inputs[1] first. Null: not here yet, which is
// only right for one whose chain names its content.
using SourceTrees = std::vector<const SourceTree*>;

// Lists what the sources of `copy` name. NotFound: a source without wildcard
// does not exist; the message names it and what is near.
absl::StatusOr<CopyListing> ListSources(const ir::Copy& copy,
                                        const SourceTrees& trees);

// The digest of names, types, modes, links, xattrs and bytes, and of owners if
// they are preserved; never of times. All file digests must be known.
Digest ListingDigest(const CopyListing& listing, bool with_owners);
// One line an item, "PATH DIGEST", to tell later which of them changed.
std::string ListingSummary(const CopyListing& listing);

// Where the bytes of a placed file are.
struct ContentOrigin {
  enum class Kind { kSource, kInline, kScratch };
  Kind kind = Kind::kSource;
  std::string path;     // In the source, or of a scratch file.
  uint32_t index = 0;   // kInline: of Copy::files; kSource: of the listing.
};

struct PlacedCopy {
  ir::StepDiff diff;
  std::map<std::string, ContentOrigin> origins;  // By path in the layer.
};

struct PlaceOptions {
  int64_t now = 0;      // mtime of what the builder makes itself.
  std::string scratch;  // An existing folder for members of archives.
};

// Computes what the copy writes onto `below`. FailedPrecondition: a folder
// cannot be replaced by a file, or a file by a folder.
absl::StatusOr<PlacedCopy> PlaceCopy(const ir::Copy& copy,
                                     const CopyListing& listing,
                                     const SourceTrees& trees,
                                     const ir::Tree& below,
                                     const ReadText& read_text,
                                     const PlaceOptions& options);

// What WORKDIR writes onto `below`; empty when the folder exists.
absl::StatusOr<ir::StepDiff> PlaceFolder(const ir::MakeDir& make,
                                         const ir::Tree& below,
                                         const ReadText& read_text,
                                         int64_t now);

}  // namespace lamina::backend
