#include "backend/image_diff.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "backend/layer_reading.h"
#include "backend/tar_fold.h"
#include "base/json.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

using Differences = std::vector<ir::TreeDifference>;

constexpr char kRootName[] = ".";
constexpr absl::string_view kUnknown = "unknown:";

struct Trees {
  ir::PathStates first, second;
};

size_t CountCommonLayers(const Image& first, const Image& second) {
  const std::vector<Digest>& a = first.document.diff_ids;
  const std::vector<Digest>& b = second.document.diff_ids;
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// The root's own metadata stand under a name that no path has.
void AddRoot(const std::optional<ir::PathState>& root, ir::PathStates& states) {
  if (root.has_value()) {
    states[kRootName] = *root;
  }
}

// Contents that the records do not know get texts that differ from those of
// the other image, unless the layer is common.
absl::StatusOr<ir::PathStates> RecordedTree(const Image& image, size_t common,
                                            absl::string_view side,
                                            Store& store) {
  ir::Tree tree;
  for (LayerId id : image.layers) {
    ASSIGN_OR_RETURN(const ir::StepDiff diff, store.ReadDiff(id));
    tree.Apply(diff);
  }
  ir::PathStates states = ir::StatesOf(tree);
  for (const auto& [path, item] : tree.items()) {
    if (item.entry.type == ir::EntryType::kFile && item.entry.digest.empty() &&
        item.layer >= common) {
      states.at(path).body = absl::StrCat(kUnknown, side, ":", path);
    }
  }
  auto root = states.extract("");
  if (!root.empty()) {
    AddRoot(root.mapped(), states);
  }
  return states;
}

// Layers `from` to `to` of an image, on top of what `fold` has.
absl::Status FoldLayers(const Image& image, size_t from, size_t to,
                        Store& store, TarFold& fold) {
  for (size_t i = from; i < to; ++i) {
    const Digest& diff_id = image.document.diff_ids[i];
    ASSIGN_OR_RETURN(std::optional<LayerBlob> blob, store.FindAnyBlob(diff_id));
    if (!blob.has_value()) {
      return absl::DataLossError(
          absl::StrCat("layer ", diff_id.ToString(),
                       " is missing from the store or damaged"));
    }
    ASSIGN_OR_RETURN(LayerReading reading, ReadLayerTar(*blob, store, &fold));
    if (reading.diff_id != diff_id || !reading.content.ok()) {
      return absl::DataLossError(absl::StrCat("layer ", diff_id.ToString(),
                                              " is damaged; see `lamina "
                                              "verify`"));
    }
  }
  return absl::OkStatus();
}

// Common layers are read once.
absl::StatusOr<Trees> ReadTrees(const Image& first, const Image& second,
                                Store& store) {
  const size_t common = CountCommonLayers(first, second);
  TarFold below(TarRules::kForeign);
  RETURN_IF_ERROR(FoldLayers(first, 0, common, store, below));
  Trees trees;
  const std::pair<const Image*, ir::PathStates*> kSides[] = {
      {&first, &trees.first}, {&second, &trees.second}};
  for (const auto& [image, states] : kSides) {
    TarFold fold(TarRules::kForeign);
    fold.StartFrom(below.states(), below.root());
    RETURN_IF_ERROR(
        FoldLayers(*image, common, image->layers.size(), store, fold));
    *states = fold.states();
    AddRoot(fold.root(), *states);
  }
  return trees;
}

// Whether contents were compared that no record knows. In a common layer an
// unknown content equals itself.
bool IsDoubtful(const Differences& differences) {
  return std::any_of(differences.begin(), differences.end(),
                     [](const ir::TreeDifference& one) {
                       return one.field == "content" &&
                              (absl::StartsWith(one.first, kUnknown) ||
                               absl::StartsWith(one.second, kUnknown));
                     });
}

std::vector<PathChange> Group(const Differences& differences,
                              const Trees& trees, bool times) {
  std::vector<PathChange> changes;
  for (const ir::TreeDifference& one : differences) {
    if (one.field == "mtime" && !times) {
      continue;
    }
    if (changes.empty() || changes.back().path != one.path) {
      PathChange change = {.path = one.path};
      const auto first = trees.first.find(one.path);
      const auto second = trees.second.find(one.path);
      if (first != trees.first.end()) {
        change.first = first->second;
      }
      if (second != trees.second.end()) {
        change.second = second->second;
      }
      changes.push_back(std::move(change));
    }
    if (one.field != "presence") {
      changes.back().fields.push_back(one);
    }
  }
  return changes;
}

using Fields = std::map<std::string, std::string>;

std::string ValueText(const Json& value) {
  return value.is_string() ? value.string() : PrintJson(value);
}

Fields FlattenConfig(const ir::ImageDocument& document, bool times) {
  const ir::ImageConfig& config = document.config;
  Fields fields = {{"Architecture", config.architecture},
                   {"Author", config.author},
                   {"Os", config.os},
                   {"OsVersion", config.os_version},
                   {"Variant", config.variant},
                   {"Created", times ? document.created : ""}};
  const Json json = ir::ImageConfigJson(config);
  for (const auto& [key, value] : json.object()) {
    if (key == "Env") {
      for (const std::string& entry : value.strings()) {
        const std::pair<std::string, std::string> parts =
            absl::StrSplit(entry, absl::MaxSplits('=', 1));
        fields[absl::StrCat("Env.", parts.first)] = parts.second;
      }
    } else if (value.is_object() && key != "Healthcheck") {
      for (const auto& [name, inner] : value.object()) {
        fields[absl::StrCat(key, ".", name)] = ValueText(inner);
      }
    } else {
      fields[key] = ValueText(value);
    }
  }
  std::erase_if(fields, [](const auto& field) {
    return field.second.empty() && !absl::StrContains(field.first, '.');
  });
  return fields;
}

std::vector<ConfigChange> CompareConfigs(const Image& first,
                                         const Image& second, bool times) {
  const Fields a = FlattenConfig(first.document, times);
  const Fields b = FlattenConfig(second.document, times);
  std::vector<ConfigChange> changes;
  const auto value = [](const Fields& fields, const std::string& key) {
    const auto found = fields.find(key);
    return found == fields.end() ? std::nullopt
                                 : std::optional<std::string>(found->second);
  };
  Fields all = a;
  all.insert(b.begin(), b.end());
  bool same_variables = true;
  for (const auto& [key, unused] : all) {
    ConfigChange change = {key, value(a, key), value(b, key)};
    if (change.first != change.second) {
      same_variables = same_variables && !absl::StartsWith(key, "Env.");
      changes.push_back(std::move(change));
    }
  }
  // The order decides when a name stands twice, and what programs see.
  if (same_variables &&
      first.document.config.env != second.document.config.env) {
    changes.push_back({"Env",
                       PrintJson(Json::Strings(first.document.config.env)),
                       PrintJson(Json::Strings(second.document.config.env))});
  }
  return changes;
}

absl::StatusOr<std::vector<DiffedLayer>> ListLayers(const Image& image,
                                                    const Image& other,
                                                    Store& store) {
  const std::set<Digest> theirs(other.document.diff_ids.begin(),
                                other.document.diff_ids.end());
  std::vector<DiffedLayer> layers;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    ASSIGN_OR_RETURN(const Layer layer, store.GetLayer(image.layers[i]));
    const Digest& diff_id = image.document.diff_ids[i];
    layers.push_back({.diff_id = diff_id,
                      .size = layer.size,
                      .shared = theirs.contains(diff_id)});
  }
  size_t next = 0;
  for (const ir::HistoryEntry& entry : image.document.history) {
    if (!entry.empty_layer && next < layers.size()) {
      layers[next++].instruction = entry.created_by;
    }
  }
  return layers;
}

}  // namespace

absl::StatusOr<ImageDiff> DiffImages(const Image& first, const Image& second,
                                     bool times, Store& store) {
  ImageDiff diff;
  ASSIGN_OR_RETURN(diff.first, ListLayers(first, second, store));
  ASSIGN_OR_RETURN(diff.second, ListLayers(second, first, store));
  diff.config = CompareConfigs(first, second, times);
  if (first.document.diff_ids == second.document.diff_ids) {
    return diff;
  }
  Trees trees;
  const size_t common = CountCommonLayers(first, second);
  ASSIGN_OR_RETURN(trees.first, RecordedTree(first, common, "first", store));
  ASSIGN_OR_RETURN(trees.second, RecordedTree(second, common, "second", store));
  Differences differences =
      ir::CompareTrees(trees.first, trees.second, SIZE_MAX);
  if (IsDoubtful(differences)) {
    ASSIGN_OR_RETURN(trees, ReadTrees(first, second, store));
    differences = ir::CompareTrees(trees.first, trees.second, SIZE_MAX);
  }
  diff.paths = Group(differences, trees, times);
  for (PathChange& change : diff.paths) {
    if (change.path == kRootName) {
      change.path.clear();
    }
  }
  return diff;
}

}  // namespace lamina::backend
