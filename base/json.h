// JSON values with one canonical form: keys sorted bytewise, no white space,
// only the escapes that RFC 8259 demands. Digested documents are printed here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina {

class Json {
 public:
  using List = std::vector<Json>;
  using Map = std::map<std::string, Json, std::less<>>;

  Json() : value_(nullptr) {}
  Json(bool value) : value_(value) {}            // NOLINT: values convert.
  Json(int64_t value) : value_(value) {}         // NOLINT
  Json(double value) : value_(value) {}          // NOLINT
  Json(std::string value) : value_(std::move(value)) {}      // NOLINT
  Json(const char* value) : value_(std::string(value)) {}    // NOLINT
  static Json Array() { return Json(Variant(List{})); }
  static Json Object() { return Json(Variant(Map{})); }
  static Json Strings(const std::vector<std::string>& values);

  bool is_null() const { return Holds<std::nullptr_t>(); }
  bool is_string() const { return Holds<std::string>(); }
  bool is_integer() const { return Holds<int64_t>(); }
  bool is_bool() const { return Holds<bool>(); }
  bool is_array() const { return Holds<List>(); }
  bool is_object() const { return Holds<Map>(); }

  // Empty or zero when the value is of another type, so that reading foreign
  // documents needs no ladder of checks.
  const std::string& string() const;
  int64_t integer() const;
  double number() const;
  bool boolean() const;
  const List& array() const;
  const Map& object() const;
  std::vector<std::string> strings() const;

  // The member `key`, or null when this is no object or has no such member.
  const Json& operator[](absl::string_view key) const;

  void Set(absl::string_view key, Json value);
  void Append(Json value);

  friend bool operator==(const Json&, const Json&) = default;

 private:
  using Variant = std::variant<std::nullptr_t, bool, int64_t, double,
                               std::string, List, Map>;
  explicit Json(Variant value) : value_(std::move(value)) {}
  template <typename T>
  bool Holds() const {
    return std::holds_alternative<T>(value_);
  }
  Variant value_;
};

// Refuses duplicate keys, trailing data, invalid UTF-8 and nesting deeper than
// 64. Errors name the byte offset.
absl::StatusOr<Json> ParseJson(absl::string_view text);

// The canonical form, without a final newline. Bytes that are not UTF-8 become
// U+FFFD.
std::string PrintJson(const Json& json);

}  // namespace lamina
