#include "base/json.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "nlohmann/json.hpp"

namespace lamina {
namespace {

constexpr size_t kMaxDepth = 64;

// Builds a Json from the events of the library's parser, because its tree
// type keeps the last of two equal keys without a word.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return Add(Json()); }
  bool boolean(bool value) override { return Add(Json(value)); }
  bool number_integer(number_integer_t value) override {
    return Add(Json(int64_t{value}));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > INT64_MAX) {
      return Add(Json(static_cast<double>(value)));
    }
    return Add(Json(static_cast<int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return Add(Json(double{value}));
  }
  bool string(string_t& value) override { return Add(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(Json::Object()); }
  bool start_array(size_t) override { return Open(Json::Array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& value) override {
    keys_.back() = std::move(value);
    if (!open_.back()[keys_.back()].is_null() ||
        open_.back().object().contains(keys_.back())) {
      error_ = absl::StrCat("key \"", keys_.back(), "\" stands twice");
      return false;
    }
    return true;
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    error_ = absl::StrCat("invalid JSON at byte ", position);
    return false;
  }

  const std::string& error() const { return error_; }
  Json Take() { return std::move(result_); }

 private:
  bool Open(Json container) {
    if (open_.size() == kMaxDepth) {
      error_ = absl::StrCat("JSON nested deeper than ", kMaxDepth);
      return false;
    }
    open_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool Close() {
    Json done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return Add(std::move(done));
  }
  bool Add(Json value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().Append(std::move(value));
    } else {
      open_.back().Set(keys_.back(), std::move(value));
    }
    return true;
  }

  std::vector<Json> open_;
  std::vector<std::string> keys_;
  std::string error_;
  Json result_;
};

}  // namespace

Json Json::Strings(const std::vector<std::string>& values) {
  Json array = Array();
  for (const std::string& value : values) {
    array.Append(value);
  }
  return array;
}

const std::string& Json::string() const {
  static const std::string kEmpty;
  const auto* value = std::get_if<std::string>(&value_);
  return value != nullptr ? *value : kEmpty;
}

int64_t Json::integer() const {
  const auto* value = std::get_if<int64_t>(&value_);
  return value != nullptr ? *value : 0;
}

double Json::number() const {
  if (const auto* value = std::get_if<double>(&value_)) {
    return *value;
  }
  return static_cast<double>(integer());
}

bool Json::boolean() const {
  const auto* value = std::get_if<bool>(&value_);
  return value != nullptr && *value;
}

const Json::List& Json::array() const {
  static const List kEmpty;
  const auto* value = std::get_if<List>(&value_);
  return value != nullptr ? *value : kEmpty;
}

const Json::Map& Json::object() const {
  static const Map kEmpty;
  const auto* value = std::get_if<Map>(&value_);
  return value != nullptr ? *value : kEmpty;
}

std::vector<std::string> Json::strings() const {
  std::vector<std::string> out;
  for (const Json& element : array()) {
    out.push_back(element.string());
  }
  return out;
}

const Json& Json::operator[](absl::string_view key) const {
  static const Json kNull;
  const Map& members = object();
  auto found = members.find(std::string(key));
  return found != members.end() ? found->second : kNull;
}

void Json::Set(absl::string_view key, Json value) {
  CHECK(is_object());
  std::get<Map>(value_).insert_or_assign(std::string(key), std::move(value));
}

void Json::Append(Json value) {
  CHECK(is_array());
  std::get<List>(value_).push_back(std::move(value));
}

absl::StatusOr<Json> ParseJson(absl::string_view text) {
  Builder builder;
  bool ok = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  if (!ok) {
    return absl::InvalidArgumentError(builder.error());
  }
  return builder.Take();
}

std::string PrintJson(const Json& json) {
  if (json.is_string()) {
    return nlohmann::json(json.string())
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  if (json.is_integer()) {
    return absl::StrCat(json.integer());
  }
  if (json.is_bool()) {
    return json.boolean() ? "true" : "false";
  }
  if (json.is_null()) {
    return "null";
  }
  std::string out;
  if (json.is_array()) {
    for (const Json& element : json.array()) {
      absl::StrAppend(&out, out.empty() ? "" : ",", PrintJson(element));
    }
    return absl::StrCat("[", out, "]");
  }
  if (json.is_object()) {
    for (const auto& [key, value] : json.object()) {
      absl::StrAppend(&out, out.empty() ? "" : ",", PrintJson(Json(key)), ":",
                      PrintJson(value));
    }
    return absl::StrCat("{", out, "}");
  }
  return nlohmann::json(json.number()).dump();
}

}  // namespace lamina
