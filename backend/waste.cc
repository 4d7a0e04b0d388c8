#include "backend/waste.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/waste_advice.h"
#include "base/files.h"
#include "base/status.h"
#include "ir/layout/tree.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

constexpr size_t kMostPaths = 5;

// The bytes of a file as one layer holds them. They die with the last name.
struct File {
  size_t layer = 0;
  Entry entry;  // As written first.
  int names = 0;
};

// A row while it is collected.
struct Sum {
  Waste waste;
  WasteFacts facts;
};

// Same content, and something else about it.
bool OnlyMetadata(const Entry& a, const Entry& b) {
  return !a.digest.empty() && a.digest == b.digest &&
         (a.mode != b.mode || a.uid != b.uid || a.gid != b.gid ||
          a.mtime != b.mtime || a.xattrs != b.xattrs);
}

bool IsUnder(absl::string_view path, absl::string_view folder) {
  return folder.empty() ||
         (path.size() > folder.size() && path[folder.size()] == '/' &&
          path.substr(0, folder.size()) == folder);
}

class Finder {
 public:
  explicit Finder(const std::vector<WasteLayer>& layers) : layers_(layers) {
    report_.layers.resize(layers.size());
  }

  WasteReport Run() {
    for (size_t i = 0; i < layers_.size(); ++i) {
      layer_ = i;
      released_.clear();
      written_.clear();
      const ir::StepDiff& diff = *layers_[i].diff;
      Delete(diff);
      tree_.Apply(diff);
      Write(diff);
      Bury();
    }
    return Finish();
  }

 private:
  struct Release {
    std::string path;
    WasteCause cause;
  };

  // Where `path` is once the symlinks above it are followed.
  std::string Place(const std::string& path) const {
    const std::string folder(DirName(path));
    const ir::Tree::Item* item = tree_.Find(folder);
    if (folder.empty() ||
        (item != nullptr && item->entry.type == EntryType::kDirectory)) {
      return path;
    }
    const absl::StatusOr<std::string> real = tree_.Resolve(folder, true);
    return real.ok() ? JoinPath(*real, BaseName(path)) : path;
  }

  // All deletions first: wherever they stand they act on the layers below.
  void Delete(const ir::StepDiff& diff) {
    for (const Entry& entry : diff.entries) {
      if (entry.type == EntryType::kWhiteout) {
        Remove(Place(entry.path), WasteCause::kDeleted);
      } else if (entry.type == EntryType::kOpaque) {
        const absl::StatusOr<std::string> real =
            tree_.Resolve(entry.path, true);
        Remove(real.ok() ? *real : entry.path, WasteCause::kDeleted);
      }
    }
  }

  // Every file at `path` and below it loses that name.
  void Remove(const std::string& path, WasteCause cause) {
    auto at = names_.lower_bound(path);
    while (at != names_.end() &&
           (at->first == path || IsUnder(at->first, path))) {
      released_[at->second] = {
          at->first, at->first == path ? cause : WasteCause::kDeleted};
      --files_[at->second].names;
      gone_[at->first] = at->second;
      at = names_.erase(at);
    }
  }

  void Write(const ir::StepDiff& diff) {
    std::vector<const Entry*> links;
    for (const Entry& entry : diff.entries) {
      if (entry.type == EntryType::kHardLink) {
        links.push_back(&entry);
      } else if (entry.type == EntryType::kFile) {
        const std::string path = Place(entry.path);
        Remove(path, WasteCause::kOverwritten);
        files_.push_back({.layer = layer_, .entry = entry});
        report_.layers[layer_].stored += entry.size;
        written_.insert(entry.digest);
        Name(path, files_.size() - 1);
      } else if (entry.type != EntryType::kWhiteout &&
                 entry.type != EntryType::kOpaque) {
        const std::string path = Place(entry.path);
        const auto old = names_.find(path);
        // A folder over a folder keeps what is in it.
        if (entry.type != EntryType::kDirectory || old != names_.end()) {
          Remove(path, WasteCause::kOverwritten);
        }
      }
    }
    for (const Entry* link : links) {
      const auto target = names_.find(Place(link->link));
      const std::string path = Place(link->path);
      if (target != names_.end() && target->first != path) {
        const size_t file = target->second;
        Remove(path, WasteCause::kOverwritten);
        Name(path, file);
      }
    }
  }

  // `path` is a name of `file` now. What was there a moment ago was replaced.
  void Name(const std::string& path, size_t file) {
    names_[path] = file;
    ++files_[file].names;
    const auto old = gone_.find(path);
    if (old != gone_.end()) {
      released_[old->second].cause =
          OnlyMetadata(files_[old->second].entry, files_[file].entry)
              ? WasteCause::kMetadata
              : WasteCause::kOverwritten;
    }
  }

  // The files that lost their last name in this layer.
  void Bury() {
    for (const auto& [index, release] : released_) {
      const File& file = files_[index];
      // Within its own layer nothing was stored twice.
      if (file.names > 0 || file.layer == layer_ || file.entry.size == 0) {
        continue;
      }
      Sum& sum = sums_[{file.layer, layer_, release.cause}];
      sum.facts.kinds.resize(kWasteKinds + 1);
      sum.facts.kinds[WasteKindOf(release.path)] += file.entry.size;
      if (!file.entry.digest.empty() && written_.contains(file.entry.digest)) {
        sum.facts.moved += file.entry.size;
      }
      sum.waste.bytes += file.entry.size;
      ++sum.waste.count;
      sum.waste.largest.push_back({release.path, file.entry.size});
      report_.layers[file.layer].dead += file.entry.size;
    }
    gone_.clear();
  }

  WasteReport Finish() {
    for (auto& [key, sum] : sums_) {
      Waste& row = sum.waste;
      std::tie(row.layer, row.guilty, row.cause) = key;
      std::stable_sort(row.largest.begin(), row.largest.end(),
                       [](const Waste::Path& a, const Waste::Path& b) {
                         return a.bytes > b.bytes ||
                                (a.bytes == b.bytes && a.path < b.path);
                       });
      row.largest.resize(std::min(row.largest.size(), kMostPaths));
      sum.facts.cause = row.cause;
      sum.facts.writer = layers_[row.layer].instruction;
      sum.facts.guilty = layers_[row.guilty].instruction;
      sum.facts.writer_is_own = layers_[row.layer].own;
      sum.facts.bytes = row.bytes;
      row.advice = WasteAdvice(sum.facts);
      report_.rows.push_back(std::move(row));
    }
    std::stable_sort(
        report_.rows.begin(), report_.rows.end(),
        [](const Waste& a, const Waste& b) { return a.bytes > b.bytes; });
    return std::move(report_);
  }

  const std::vector<WasteLayer>& layers_;
  WasteReport report_;
  ir::Tree tree_;  // Only to follow symlinks.
  std::vector<File> files_;
  std::map<std::string, size_t, ir::PathLess> names_;  // To files_.
  std::map<std::tuple<size_t, size_t, WasteCause>, Sum> sums_;
  // Of the current layer: files that lost a name, names that went, contents
  // that were written.
  size_t layer_ = 0;
  std::map<size_t, Release> released_;
  std::map<std::string, size_t> gone_;
  std::set<Digest> written_;
};

}  // namespace

absl::string_view WasteCauseName(WasteCause cause) {
  switch (cause) {
    case WasteCause::kOverwritten:
      return "overwritten";
    case WasteCause::kDeleted:
      return "deleted";
    case WasteCause::kMetadata:
      return "metadata";
  }
  return "";
}

WasteReport FindWaste(const std::vector<WasteLayer>& layers) {
  return Finder(layers).Run();
}

double LiveShare(const WasteReport& report, const std::vector<bool>& counts) {
  CHECK(counts.size() == report.layers.size());
  uint64_t stored = 0;
  uint64_t dead = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    stored += counts[i] ? report.layers[i].stored : 0;
    dead += counts[i] ? report.layers[i].dead : 0;
  }
  return stored == 0
             ? 1
             : static_cast<double>(stored - dead) / static_cast<double>(stored);
}

std::vector<WasteRow> WasteRows(const WasteReport& report,
                                const std::vector<int>& steps) {
  CHECK(steps.size() == report.layers.size());
  std::vector<WasteRow> rows;
  for (const Waste& waste : report.rows) {
    rows.push_back({.step = steps[waste.layer],
                    .guilty = steps[waste.guilty],
                    .cause = std::string(WasteCauseName(waste.cause)),
                    .bytes = waste.bytes,
                    .advice = waste.advice});
  }
  return rows;
}

}  // namespace lamina::backend
