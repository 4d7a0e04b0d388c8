#include "ir/image_config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

constexpr absl::string_view kRepairComment = "buildkit.exporter.image.v0";

// Empty values are left out of every document.
void SetText(Json& object, absl::string_view key, const std::string& value) {
  if (!value.empty()) {
    object.Set(key, value);
  }
}

void SetNumber(Json& object, absl::string_view key, int64_t value) {
  if (value != 0) {
    object.Set(key, value);
  }
}

void SetList(Json& object, absl::string_view key,
             const std::vector<std::string>& values) {
  if (!values.empty()) {
    object.Set(key, Json::Strings(values));
  }
}

// Go's map[string]struct{}.
void SetKeys(Json& object, absl::string_view key,
             const std::set<std::string>& keys) {
  if (keys.empty()) {
    return;
  }
  Json members = Json::Object();
  for (const std::string& name : keys) {
    members.Set(name, Json::Object());
  }
  object.Set(key, std::move(members));
}

std::set<std::string> Keys(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.object()) {
    keys.insert(key);
  }
  return keys;
}

// Docker once wrote a single word where a list stands today.
std::vector<std::string> Strings(const Json& value) {
  if (value.is_string()) {
    return {value.string()};
  }
  return value.strings();
}

Json HealthcheckJson(const Healthcheck& check) {
  Json json = Json::Object();
  SetList(json, "Test", check.test);
  SetNumber(json, "Interval", check.interval_ns);
  SetNumber(json, "Timeout", check.timeout_ns);
  SetNumber(json, "StartPeriod", check.start_period_ns);
  SetNumber(json, "StartInterval", check.start_interval_ns);
  SetNumber(json, "Retries", check.retries);
  return json;
}

std::optional<Healthcheck> ReadHealthcheck(const Json& json) {
  if (json.object().empty()) {
    return std::nullopt;
  }
  return Healthcheck{.test = Strings(json["Test"]),
                     .interval_ns = json["Interval"].integer(),
                     .timeout_ns = json["Timeout"].integer(),
                     .start_period_ns = json["StartPeriod"].integer(),
                     .start_interval_ns = json["StartInterval"].integer(),
                     .retries = json["Retries"].integer()};
}

Json HistoryJson(const HistoryEntry& entry) {
  Json json = Json::Object();
  SetText(json, "created", entry.created);
  SetText(json, "created_by", entry.created_by);
  SetText(json, "author", entry.author);
  SetText(json, "comment", entry.comment);
  if (entry.empty_layer) {
    json.Set("empty_layer", true);
  }
  return json;
}

HistoryEntry ReadHistory(const Json& json) {
  return {.created = json["created"].string(),
          .created_by = json["created_by"].string(),
          .author = json["author"].string(),
          .comment = json["comment"].string(),
          .empty_layer = json["empty_layer"].boolean()};
}

size_t CountLayers(const std::vector<HistoryEntry>& history) {
  return std::count_if(
      history.begin(), history.end(),
      [](const HistoryEntry& entry) { return !entry.empty_layer; });
}

// As BuildKit does: what is missing is appended, what is too much becomes
// empty, from the last one backwards.
void RepairHistory(ImageDocument& document) {
  size_t layers = CountLayers(document.history);
  for (; layers < document.diff_ids.size(); ++layers) {
    document.history.push_back(
        {.created = document.created, .comment = std::string(kRepairComment)});
  }
  for (auto entry = document.history.rbegin();
       layers > document.diff_ids.size(); ++entry) {
    layers -= entry->empty_layer ? 0 : 1;
    entry->empty_layer = true;
  }
}

// The members that stand beside "config" in a document.
Json TopLevelJson(const ImageConfig& config) {
  Json json = Json::Object();
  SetText(json, "architecture", config.architecture);
  SetText(json, "author", config.author);
  SetText(json, "os", config.os);
  SetText(json, "os.version", config.os_version);
  SetText(json, "variant", config.variant);
  json.Set("config", ImageConfigJson(config));
  return json;
}

ImageConfig ReadConfig(const Json& document) {
  const Json& json = document["config"];
  ImageConfig config;
  config.architecture = document["architecture"].string();
  config.os = document["os"].string();
  config.variant = document["variant"].string();
  config.os_version = document["os.version"].string();
  config.author = document["author"].string();
  config.user = json["User"].string();
  for (const std::string& variable : json["Env"].strings()) {
    size_t equals = variable.find('=');
    // A base may name a variable twice; the last value is the one that counts.
    if (equals != std::string::npos) {
      config.SetEnv(variable.substr(0, equals), variable.substr(equals + 1));
    } else if (!config.FindEnv(variable)) {
      config.SetEnv(variable, "");
    }
  }
  config.entrypoint = Strings(json["Entrypoint"]);
  config.cmd = Strings(json["Cmd"]);
  config.working_dir = CleanPath("/" + json["WorkingDir"].string());
  for (const auto& [key, value] : json["Labels"].object()) {
    config.labels[key] = value.string();
  }
  config.exposed_ports = Keys(json["ExposedPorts"]);
  config.volumes = Keys(json["Volumes"]);
  config.stop_signal = json["StopSignal"].string();
  config.args_escaped = json["ArgsEscaped"].boolean();
  config.healthcheck = ReadHealthcheck(json["Healthcheck"]);
  config.on_build = Strings(json["OnBuild"]);
  config.shell = Strings(json["Shell"]);
  return config;
}

}  // namespace

std::optional<std::string> ImageConfig::FindEnv(absl::string_view name) const {
  for (const std::string& variable : env) {
    absl::string_view text = variable;
    if (text.size() > name.size() && text[name.size()] == '=' &&
        text.substr(0, name.size()) == name) {
      return variable.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

void ImageConfig::SetEnv(absl::string_view name, absl::string_view value) {
  std::string variable = absl::StrCat(name, "=", value);
  for (std::string& known : env) {
    if (absl::string_view(known).substr(0, name.size() + 1) ==
        absl::string_view(variable).substr(0, name.size() + 1)) {
      known = std::move(variable);
      return;
    }
  }
  env.push_back(std::move(variable));
}

Json ImageConfigJson(const ImageConfig& config) {
  Json json = Json::Object();
  SetText(json, "User", config.user);
  SetKeys(json, "ExposedPorts", config.exposed_ports);
  SetList(json, "Env", config.env);
  SetList(json, "Entrypoint", config.entrypoint);
  SetList(json, "Cmd", config.cmd);
  SetKeys(json, "Volumes", config.volumes);
  SetText(json, "WorkingDir", config.working_dir);
  if (!config.labels.empty()) {
    Json labels = Json::Object();
    for (const auto& [key, value] : config.labels) {
      labels.Set(key, value);
    }
    json.Set("Labels", std::move(labels));
  }
  SetText(json, "StopSignal", config.stop_signal);
  if (config.args_escaped) {
    json.Set("ArgsEscaped", true);
  }
  if (config.healthcheck && *config.healthcheck != Healthcheck{}) {
    json.Set("Healthcheck", HealthcheckJson(*config.healthcheck));
  }
  SetList(json, "OnBuild", config.on_build);
  SetList(json, "Shell", config.shell);
  return json;
}

std::string PrintImageConfig(const ImageConfig& config) {
  return PrintJson(TopLevelJson(config));
}

absl::StatusOr<ImageConfig> ParseImageConfig(absl::string_view text) {
  ASSIGN_OR_RETURN(Json json, ParseJson(text));
  if (!json.is_object()) {
    return absl::InvalidArgumentError("the image configuration is no object");
  }
  return ReadConfig(json);
}

std::string PrintImageDocument(const ImageDocument& document) {
  CHECK(CountLayers(document.history) == document.diff_ids.size());
  Json json = TopLevelJson(document.config);
  SetText(json, "created", document.created);
  if (!document.history.empty()) {
    Json history = Json::Array();
    for (const HistoryEntry& entry : document.history) {
      history.Append(HistoryJson(entry));
    }
    json.Set("history", std::move(history));
  }
  Json diff_ids = Json::Array();
  for (const Digest& diff_id : document.diff_ids) {
    diff_ids.Append(diff_id.ToString());
  }
  Json rootfs = Json::Object();
  rootfs.Set("type", "layers");
  rootfs.Set("diff_ids", std::move(diff_ids));
  json.Set("rootfs", std::move(rootfs));
  return PrintJson(json);
}

absl::StatusOr<ImageDocument> ParseImageDocument(absl::string_view text) {
  ASSIGN_OR_RETURN(Json json, ParseJson(text));
  if (!json.is_object()) {
    return absl::InvalidArgumentError("the image configuration is no object");
  }
  ImageDocument document;
  document.created = json["created"].string();
  document.config = ReadConfig(json);
  for (const Json& entry : json["history"].array()) {
    document.history.push_back(ReadHistory(entry));
  }
  const Json& rootfs = json["rootfs"];
  if (rootfs.is_object() && rootfs["type"].is_string() &&
      rootfs["type"].string() != "layers") {
    return absl::InvalidArgumentError(
        absl::StrCat("rootfs has type `", rootfs["type"].string(),
                     "`; only `layers` is known"));
  }
  for (const Json& diff_id : rootfs["diff_ids"].array()) {
    absl::StatusOr<Digest> digest = Digest::Parse(diff_id.string());
    if (!digest.ok()) {
      return Annotate(digest.status(), "rootfs.diff_ids");
    }
    document.diff_ids.push_back(*digest);
  }
  RepairHistory(document);
  return document;
}

}  // namespace lamina::ir
