#include "backend/build_record.h"

#include <utility>

#include "base/json.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

std::optional<double> Number(const Json& json) {
  if (json.is_null()) {
    return std::nullopt;
  }
  return json.is_integer() ? static_cast<double>(json.integer())
                           : json.number();
}

Json EstimateJson(const Estimate& estimate) {
  if (!estimate.mean.has_value()) {
    return Json();
  }
  Json json = Json::Object();
  json.Set("mean", *estimate.mean);
  json.Set("low", estimate.low);
  json.Set("high", estimate.high);
  json.Set("exact", estimate.exact);
  json.Set("source", estimate.source);
  return json;
}

Estimate ReadEstimate(const Json& json) {
  if (!json.is_object()) {
    return {};
  }
  return {.mean = Number(json["mean"]),
          .low = Number(json["low"]).value_or(0),
          .high = Number(json["high"]).value_or(0),
          .exact = json["exact"].boolean(),
          .source = json["source"].string()};
}

Json StepJson(const BuiltStep& step) {
  Json json = Json::Object();
  json.Set("stage", step.stage);
  json.Set("text", step.text);
  json.Set("state", step.state);
  json.Set("diff", step.diff);
  json.Set("start", step.start);
  json.Set("seconds", step.seconds);
  json.Set("bytes", step.bytes);
  json.Set("own", step.own);
  json.Set("expected_seconds", EstimateJson(step.expected_seconds));
  json.Set("expected_bytes", EstimateJson(step.expected_bytes));
  return json;
}

BuiltStep ReadStep(const Json& json) {
  BuiltStep step;
  step.stage = json["stage"].string();
  step.text = json["text"].string();
  step.state = json["state"].string();
  step.diff = json["diff"].string();
  step.start = Number(json["start"]).value_or(0);
  step.seconds = Number(json["seconds"]).value_or(0);
  step.bytes = json["bytes"].integer();
  step.own = json["own"].boolean();
  step.expected_seconds = ReadEstimate(json["expected_seconds"]);
  step.expected_bytes = ReadEstimate(json["expected_bytes"]);
  return step;
}

}  // namespace

std::string PrintBuildDocument(const BuildDocument& document) {
  Json json = Json::Object();
  json.Set("version", int64_t{1});
  json.Set("level", document.level);
  json.Set("image", document.image);
  json.Set("seconds", document.seconds);
  json.Set("same_layers",
           document.same_layers.has_value() ? Json(*document.same_layers)
                                            : Json());
  Json steps = Json::Array();
  for (const BuiltStep& step : document.steps) {
    steps.Append(StepJson(step));
  }
  json.Set("steps", std::move(steps));
  Json layers = Json::Array();
  for (const BuiltLayer& layer : document.layers) {
    Json row = Json::Object();
    row.Set("chain", layer.chain);
    row.Set("first", int64_t{layer.first});
    row.Set("last", int64_t{layer.last});
    row.Set("bytes", layer.bytes);
    row.Set("key", layer.key);
    layers.Append(std::move(row));
  }
  json.Set("layers", std::move(layers));
  return PrintJson(json);
}

absl::StatusOr<BuildDocument> ParseBuildDocument(absl::string_view text) {
  ASSIGN_OR_RETURN(Json json, ParseJson(text));
  if (json["version"].integer() != 1 || !json["steps"].is_array()) {
    return absl::InvalidArgumentError("no build record of version 1");
  }
  BuildDocument document;
  document.level = json["level"].string();
  document.image = json["image"].string();
  document.seconds = Number(json["seconds"]).value_or(0);
  if (!json["same_layers"].is_null()) {
    document.same_layers = json["same_layers"].boolean();
  }
  for (const Json& step : json["steps"].array()) {
    document.steps.push_back(ReadStep(step));
  }
  for (const Json& row : json["layers"].array()) {
    document.layers.push_back({row["chain"].string(),
                               static_cast<int>(row["first"].integer()),
                               static_cast<int>(row["last"].integer()),
                               row["bytes"].integer(),
                               row["key"].string()});
  }
  return document;
}

}  // namespace lamina::backend
