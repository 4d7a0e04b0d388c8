#include "cli/diff_text.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/text.h"
#include "cli/image_text.h"

namespace lamina::cli {
namespace {

constexpr size_t kMostPaths = 40;
constexpr size_t kValueWidth = 100;

using backend::ConfigChange;
using backend::DiffedLayer;
using backend::PathChange;

// One line, safe on a terminal, not too long.
std::string OneLine(absl::string_view text, size_t width) {
  return Ellipsis(EscapeControls(absl::StrReplaceAll(text, {{"\n", " "}})),
                  width);
}

// --- files -------------------------------------------------------------------

// What a path is, for the lines of added and removed ones.
std::string StateText(const ir::PathState& state) {
  switch (state.type) {
    case ir::EntryType::kFile:
      return HumanSize(state.size);
    case ir::EntryType::kSymlink:
      return absl::StrCat("-> ", OneLine(state.body, kValueWidth));
    default:
      return "";
  }
}

std::string FieldText(const PathChange& change,
                      const ir::TreeDifference& field) {
  if (field.field == "content") {
    return absl::StrCat("content ", HumanSize(change.first->size), " -> ",
                        HumanSize(change.second->size));
  }
  const auto value = [](const std::string& text) {
    return text.empty() ? std::string("none") : OneLine(text, kValueWidth);
  };
  return absl::StrCat(field.field, " ", value(field.first), " -> ",
                      value(field.second));
}

struct PathLine {
  std::string text;
  size_t paths = 1;  // That it stands for.
};

// An added or removed path; a folder speaks for all below it that shares its
// fate.
PathLine OneSided(const std::vector<PathChange>& changes, size_t index,
                  bool all) {
  const PathChange& change = changes[index];
  const bool added = !change.first.has_value();
  const auto side = [added](const PathChange& of) -> const ir::PathState& {
    return added ? *of.second : *of.first;
  };
  const std::string name =
      absl::StrCat(added ? "  + " : "  - ", EscapeControls(change.path),
                   side(change).type == ir::EntryType::kDirectory ? "/" : "");
  const std::string folder = change.path + "/";
  size_t end = index + 1;
  uint64_t bytes = 0;
  while (!all && end < changes.size() &&
         absl::StartsWith(changes[end].path, folder) &&
         changes[end].first.has_value() != changes[end].second.has_value() &&
         added == !changes[end].first.has_value()) {
    bytes += side(changes[end++]).size;
  }
  if (end > index + 1) {
    return {absl::StrCat(name, "  ", Counted(end - index, "path"), ", ",
                         HumanSize(bytes)),
            end - index};
  }
  const std::string state = StateText(side(change));
  return {absl::StrCat(name, state.empty() ? "" : "  ", state)};
}

std::string FilesText(const std::vector<PathChange>& changes, bool all) {
  size_t added = 0;
  size_t removed = 0;
  for (const PathChange& change : changes) {
    added += change.first.has_value() ? 0 : 1;
    removed += change.second.has_value() ? 0 : 1;
  }
  std::string text =
      absl::StrCat("files      ", added, " added, ", removed, " removed, ",
                   changes.size() - added - removed, " changed\n");
  size_t lines = 0;
  for (size_t i = 0; i < changes.size(); ++lines) {
    if (!all && lines == kMostPaths) {
      absl::StrAppend(&text, "  ... and ", changes.size() - i,
                      " more; --all lists them\n");
      break;
    }
    const PathChange& change = changes[i];
    if (change.first.has_value() != change.second.has_value()) {
      const PathLine line = OneSided(changes, i, all);
      absl::StrAppend(&text, line.text, "\n");
      i += line.paths;
      continue;
    }
    std::vector<std::string> fields;
    for (const ir::TreeDifference& field : change.fields) {
      fields.push_back(FieldText(change, field));
    }
    absl::StrAppend(&text, "  ~ ",
                    change.path.empty() ? "/" : EscapeControls(change.path),
                    "  ", absl::StrJoin(fields, ", "), "\n");
    ++i;
  }
  return text;
}

// --- configuration, layers
// -----------------------------------------------------

std::string ConfigText(const std::vector<ConfigChange>& changes) {
  std::string text = "config\n";
  for (const ConfigChange& change : changes) {
    const std::string key = OneLine(change.key, kValueWidth);
    const std::string first = OneLine(change.first.value_or(""), kValueWidth);
    const std::string second = OneLine(change.second.value_or(""), kValueWidth);
    if (change.first.has_value() && change.second.has_value()) {
      absl::StrAppend(&text, "  ~ ", key, "  ", first, " -> ", second, "\n");
    } else {
      absl::StrAppend(&text, change.second.has_value() ? "  + " : "  - ", key,
                      "  ", first, second, "\n");
    }
  }
  return text;
}

uint64_t SizeOf(const std::vector<DiffedLayer>& layers) {
  uint64_t size = 0;
  for (const DiffedLayer& layer : layers) {
    size += layer.size;
  }
  return size;
}

std::string LayersText(const backend::ImageDiff& diff) {
  std::string text;
  size_t shared = 0;
  uint64_t bytes = 0;
  for (const DiffedLayer& layer : diff.first) {
    shared += layer.shared ? 1 : 0;
    bytes += layer.shared ? layer.size : 0;
  }
  absl::StrAppend(&text, "layers     ", shared, " shared, ", HumanSize(bytes),
                  "\n");
  for (const auto& [mark, layers] :
       {std::pair("  - ", &diff.first), std::pair("  + ", &diff.second)}) {
    for (const DiffedLayer& layer : *layers) {
      if (!layer.shared) {
        absl::StrAppend(&text, mark, HumanSize(layer.size), "  ",
                        ShortId(layer.diff_id), "  ",
                        OneLine(layer.instruction, kValueWidth), "\n");
      }
    }
  }
  return text;
}

std::string HeadText(const NamedImage& image,
                     const std::vector<DiffedLayer>& layers) {
  return absl::StrCat(image.name, "  ", ShortId(image.image->id), "  ",
                      Counted(layers.size(), "layer"), ", ",
                      HumanSize(SizeOf(layers)), "\n");
}

// --- JSON ------------------------------------------------------------------

Json StateJson(const std::optional<ir::PathState>& state) {
  if (!state.has_value()) {
    return Json();
  }
  Json json = Json::Object();
  json.Set("type", std::string(1, static_cast<char>(state->type)));
  json.Set("mode", absl::StrFormat("%04o", state->mode));
  json.Set("uid", int64_t{state->uid});
  json.Set("gid", int64_t{state->gid});
  json.Set("mtime", state->mtime);
  json.Set("size", static_cast<int64_t>(state->size));
  // A content that no record knows is no content to be named.
  if (!state->body.empty() && !absl::StartsWith(state->body, "unknown:")) {
    json.Set("content", state->body);
  }
  return json;
}

Json LayersJson(const std::vector<DiffedLayer>& layers) {
  Json list = Json::Array();
  for (const DiffedLayer& layer : layers) {
    Json json = Json::Object();
    json.Set("diff_id", layer.diff_id.ToString());
    json.Set("size", static_cast<int64_t>(layer.size));
    json.Set("created_by", layer.instruction);
    json.Set("shared", layer.shared);
    list.Append(std::move(json));
  }
  return list;
}

}  // namespace

Json DiffJson(const backend::ImageDiff& diff) {
  Json paths = Json::Array();
  for (const PathChange& change : diff.paths) {
    std::vector<std::string> fields;
    for (const ir::TreeDifference& field : change.fields) {
      fields.push_back(field.field);
    }
    Json json = Json::Object();
    json.Set("path", "/" + change.path);
    json.Set("change", !change.first.has_value()    ? "added"
                       : !change.second.has_value() ? "removed"
                                                    : "changed");
    json.Set("fields", Json::Strings(fields));
    json.Set("first", StateJson(change.first));
    json.Set("second", StateJson(change.second));
    paths.Append(std::move(json));
  }
  Json config = Json::Array();
  const auto value = [](const std::optional<std::string>& text) {
    return text.has_value() ? Json(*text) : Json();
  };
  for (const ConfigChange& change : diff.config) {
    Json json = Json::Object();
    json.Set("key", change.key);
    json.Set("first", value(change.first));
    json.Set("second", value(change.second));
    config.Append(std::move(json));
  }
  Json layers = Json::Object();
  layers.Set("first", LayersJson(diff.first));
  layers.Set("second", LayersJson(diff.second));
  Json json = Json::Object();
  json.Set("version", int64_t{1});
  json.Set("equal", diff.equal());
  json.Set("paths", std::move(paths));
  json.Set("config", std::move(config));
  json.Set("layers", std::move(layers));
  return json;
}

std::string DiffText(const NamedImage& first, const NamedImage& second,
                     const backend::ImageDiff& diff, bool all) {
  std::string text =
      absl::StrCat(HeadText(first, diff.first), HeadText(second, diff.second),
                   LayersText(diff));
  if (!diff.config.empty()) {
    absl::StrAppend(&text, ConfigText(diff.config));
  }
  if (!diff.paths.empty()) {
    absl::StrAppend(&text, FilesText(diff.paths, all));
  }
  if (diff.equal()) {
    absl::StrAppend(&text, "equal: same files, same configuration\n");
  }
  return text;
}

}  // namespace lamina::cli
