#include "ir/layout/layer_lock.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "ir/layout/change_vector.h"

namespace lamina::ir {
namespace {

constexpr int64_t kVersion = 1;
constexpr absl::string_view kAdvice =
    "; restore the file from version control, or delete it for a new layout";

absl::Status Wrong(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "layer lock: ", where.empty() ? "" : absl::StrCat("`", where, "`: "),
      what, kAdvice));
}

// An object of a lock, and the keys that were read from it: all others are
// unknown.
class Members {
 public:
  Members(const Json& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  absl::Status Text(absl::string_view key, std::string& value) {
    const Json& member = Take(key);
    if (!member.is_string()) {
      return Wrong(Where(key), "is missing or no text");
    }
    value = member.string();
    return absl::OkStatus();
  }

  absl::Status Integer(absl::string_view key, int64_t& value) {
    const Json& member = Take(key);
    if (!member.is_integer() || member.integer() < 0) {
      return Wrong(Where(key), "is missing or no integer from 0");
    }
    value = member.integer();
    return absl::OkStatus();
  }

  absl::Status Small(absl::string_view key, int limit, int& value) {
    int64_t wide = 0;
    RETURN_IF_ERROR(Integer(key, wide));
    if (wide > limit) {
      return Wrong(Where(key),
                   absl::StrCat("is ", wide, ", more than ", limit));
    }
    value = static_cast<int>(wide);
    return absl::OkStatus();
  }

  absl::Status Texts(absl::string_view key,
                     std::map<std::string, std::string>& to, bool vectors) {
    const Json& member = Take(key);
    if (!member.is_object()) {
      return Wrong(Where(key), "is missing or no object");
    }
    for (const auto& [name, value] : member.object()) {
      if (!value.is_string() || (vectors && !IsVector(value.string()))) {
        return Wrong(absl::StrCat(Where(key), ".", name),
                     vectors ? "is no number in hex" : "is no text");
      }
      to[name] = value.string();
    }
    return absl::OkStatus();
  }

  // A member of this kind, for more reading.
  absl::StatusOr<const Json*> Object(absl::string_view key) {
    const Json& member = Take(key);
    if (!member.is_object()) {
      return Wrong(Where(key), "is missing or no object");
    }
    return &member;
  }
  absl::StatusOr<const Json*> List(absl::string_view key) {
    const Json& member = Take(key);
    if (!member.is_array()) {
      return Wrong(Where(key), "is missing or no list");
    }
    return &member;
  }

  absl::Status End() const {
    for (const auto& [key, value] : object_.object()) {
      if (!known_.contains(key)) {
        return Wrong(Where(key), "is a key that version 1 does not have");
      }
    }
    return absl::OkStatus();
  }

  std::string Where(absl::string_view key) const {
    return where_.empty() ? std::string(key) : absl::StrCat(where_, ".", key);
  }

 private:
  const Json& Take(absl::string_view key) {
    known_.insert(std::string(key));
    return object_[key];
  }

  const Json& object_;
  std::string where_;
  std::set<std::string, std::less<>> known_;
};

absl::Status ReadAtoms(const Json& list, const std::string& where,
                       std::set<std::string>& seen,
                       std::vector<std::string>& atoms) {
  for (const Json& atom : list.array()) {
    if (!atom.is_string() || atom.string().empty()) {
      return Wrong(where, "holds something that is no atom");
    }
    if (!seen.insert(atom.string()).second) {
      return Wrong(where, absl::StrCat("names `", atom.string(),
                                       "`, which stands in a layer already"));
    }
    atoms.push_back(atom.string());
  }
  return absl::OkStatus();
}

absl::Status ReadLayers(const Json& list, LayerLock& lock) {
  constexpr absl::string_view kRoles[] = {"base-changes", "normal", "new",
                                          "index"};
  std::set<std::string> seen;
  for (const Json& item : list.array()) {
    std::string where = absl::StrCat("layers[", lock.layers.size(), "]");
    if (!item.is_object()) {
      return Wrong(where, "is no object");
    }
    LockedLayer layer;
    Members members(item, where);
    if (lock.mode == "chain") {
      RETURN_IF_ERROR(members.Text("cut", layer.cut));
    } else {
      ASSIGN_OR_RETURN(const Json* atoms, members.List("atoms"));
      RETURN_IF_ERROR(
          ReadAtoms(*atoms, members.Where("atoms"), seen, layer.atoms));
    }
    RETURN_IF_ERROR(members.Text("role", layer.role));
    if (std::find(std::begin(kRoles), std::end(kRoles), layer.role) ==
        std::end(kRoles)) {
      return Wrong(members.Where("role"),
                   absl::StrCat("is `", layer.role, "`, not one of ",
                                absl::StrJoin(kRoles, ", ")));
    }
    RETURN_IF_ERROR(members.Text("diff_id", layer.diff_id));
    int64_t bytes = 0;
    RETURN_IF_ERROR(members.Integer("bytes", bytes));
    layer.bytes = static_cast<uint64_t>(bytes);
    RETURN_IF_ERROR(members.End());
    lock.layers.push_back(std::move(layer));
  }
  return absl::OkStatus();
}

absl::Status ReadHistory(const Json& json, LayerLock& lock) {
  Members members(json, "history");
  RETURN_IF_ERROR(members.Small("epochs", kLockHistory, lock.epochs));
  RETURN_IF_ERROR(members.Texts("changed", lock.changed, true));
  RETURN_IF_ERROR(members.Texts("contents", lock.contents, false));
  for (const auto& [atom, changed] : lock.changed) {
    std::vector<bool> epochs = EpochsOf(changed);
    for (size_t epoch = lock.epochs; epoch < epochs.size(); ++epoch) {
      if (epochs[epoch]) {
        return Wrong(
            absl::StrCat("history.changed.", atom),
            absl::StrCat("tells of more than ", lock.epochs, " releases"));
      }
    }
  }
  return members.End();
}

absl::Status ReadShadow(const Json& json, LayerLock& lock) {
  Members members(json, "shadow");
  RETURN_IF_ERROR(members.Small("since", lock.epochs, lock.shadow_since));
  RETURN_IF_ERROR(members.Integer("regret", lock.regret));
  ASSIGN_OR_RETURN(const Json* layers, members.List("layers"));
  std::set<std::string> seen;
  for (const Json& list : layers->array()) {
    std::string where = absl::StrCat("shadow.layers[", lock.shadow.size(), "]");
    if (!list.is_array()) {
      return Wrong(where, "is no list");
    }
    lock.shadow.emplace_back();
    RETURN_IF_ERROR(ReadAtoms(list, where, seen, lock.shadow.back()));
  }
  return members.End();
}

absl::StatusOr<LayerLock> ReadLock(const Json& json) {
  LayerLock lock;
  Members members(json, "");
  int64_t version = 0;
  RETURN_IF_ERROR(members.Integer("version", version));
  if (version != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layer lock: version ", version, ", but this program knows ", kVersion,
        "; use the program that wrote it, or delete the file for a new "
        "layout"));
  }
  RETURN_IF_ERROR(members.Text("target", lock.target));
  RETURN_IF_ERROR(members.Text("mode", lock.mode));
  if (lock.mode != "chain" && lock.mode != "partition") {
    return Wrong("mode",
                 absl::StrCat("is `", lock.mode, "`, not chain or partition"));
  }
  RETURN_IF_ERROR(members.Text("base", lock.base));
  ASSIGN_OR_RETURN(const Json* weights, members.Object("weights"));
  Members rates(*weights, "weights");
  RETURN_IF_ERROR(rates.Integer("alpha", lock.alpha));
  RETURN_IF_ERROR(rates.Integer("beta", lock.beta));
  RETURN_IF_ERROR(rates.Integer("gamma", lock.gamma));
  RETURN_IF_ERROR(rates.Integer("delta", lock.delta));
  RETURN_IF_ERROR(rates.End());
  ASSIGN_OR_RETURN(const Json* writer, members.Object("writer"));
  lock.writer = writer->object().empty() ? "" : PrintJson(*writer);
  ASSIGN_OR_RETURN(const Json* layers, members.List("layers"));
  RETURN_IF_ERROR(ReadLayers(*layers, lock));
  ASSIGN_OR_RETURN(const Json* history, members.Object("history"));
  RETURN_IF_ERROR(ReadHistory(*history, lock));
  ASSIGN_OR_RETURN(const Json* shadow, members.Object("shadow"));
  RETURN_IF_ERROR(ReadShadow(*shadow, lock));
  RETURN_IF_ERROR(members.End());
  return lock;
}

Json TextsOf(const std::map<std::string, std::string>& texts) {
  Json object = Json::Object();
  for (const auto& [key, value] : texts) {
    object.Set(key, value);
  }
  return object;
}

}  // namespace

absl::StatusOr<LayerLock> ParseLayerLock(absl::string_view text) {
  // A merge that was never finished is what mostly happens to such files.
  size_t conflict =
      absl::StartsWith(text, "<<<<<<<") ? 0 : text.find("\n<<<<<<<");
  if (conflict != absl::string_view::npos) {
    int64_t line = std::count(text.begin(), text.begin() + conflict + 1, '\n');
    return Wrong("", absl::StrCat("line ", line + 1,
                                  " has the mark of a merge conflict"));
  }
  absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) {
    return Wrong("", json.status().message());
  }
  if (!json->is_object()) {
    return Wrong("", "no JSON object");
  }
  return ReadLock(*json);
}

std::string PrintLayerLock(const LayerLock& lock) {
  Json weights = Json::Object();
  weights.Set("alpha", lock.alpha);
  weights.Set("beta", lock.beta);
  weights.Set("gamma", lock.gamma);
  weights.Set("delta", lock.delta);
  Json layers = Json::Array();
  for (const LockedLayer& layer : lock.layers) {
    Json one = Json::Object();
    if (lock.mode == "chain") {
      one.Set("cut", layer.cut);
    } else {
      one.Set("atoms", Json::Strings(layer.atoms));
    }
    one.Set("role", layer.role);
    one.Set("diff_id", layer.diff_id);
    one.Set("bytes", static_cast<int64_t>(layer.bytes));
    layers.Append(std::move(one));
  }
  Json history = Json::Object();
  history.Set("epochs", int64_t{lock.epochs});
  history.Set("changed", TextsOf(lock.changed));
  history.Set("contents", TextsOf(lock.contents));
  Json shadow_layers = Json::Array();
  for (const std::vector<std::string>& layer : lock.shadow) {
    shadow_layers.Append(Json::Strings(layer));
  }
  Json shadow = Json::Object();
  shadow.Set("since", int64_t{lock.shadow_since});
  shadow.Set("layers", std::move(shadow_layers));
  shadow.Set("regret", lock.regret);
  absl::StatusOr<Json> writer =
      ParseJson(lock.writer.empty() ? "{}" : lock.writer);
  CHECK(writer.ok() && writer->is_object());
  Json json = Json::Object();
  json.Set("version", kVersion);
  json.Set("target", lock.target);
  json.Set("mode", lock.mode);
  json.Set("base", lock.base);
  json.Set("weights", std::move(weights));
  json.Set("writer", *std::move(writer));
  json.Set("layers", std::move(layers));
  json.Set("history", std::move(history));
  json.Set("shadow", std::move(shadow));
  return absl::StrCat(PrintJson(json), "\n");
}

std::string CheckLock(const LayerLock& lock, absl::string_view target,
                      absl::string_view mode) {
  if (lock.target != target) {
    return absl::StrCat("the layer lock is of target `", lock.target,
                        "`, not `", target,
                        "`; give each target a lock with --layer-lock");
  }
  if (lock.mode != mode) {
    return absl::StrCat("the layer lock holds a ", lock.mode,
                        " layout, this build makes a ", mode,
                        " one; choose --layout=", lock.mode,
                        ", or --relayout=now to replace the lock");
  }
  return "";
}

}  // namespace lamina::ir
