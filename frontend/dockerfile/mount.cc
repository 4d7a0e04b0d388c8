#include "frontend/dockerfile/mount.h"

#include <optional>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/go_text.h"

namespace lamina::frontend {
namespace {

using ir::Mount;
using Type = Mount::Type;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// One record of RFC 4180.
absl::StatusOr<std::vector<std::string>> SplitRecord(absl::string_view text) {
  std::vector<std::string> fields(1);
  size_t i = 0;
  while (i < text.size()) {
    if (text[i] == ',') {
      fields.emplace_back();
      ++i;
    } else if (text[i] != '"') {
      fields.back() += text[i++];
    } else if (!fields.back().empty() || (i > 0 && text[i - 1] != ',')) {
      return Invalid("failed to parse csv mounts: bare \" in a field");
    } else {
      for (++i;; ++i) {
        if (i == text.size()) {
          return Invalid("failed to parse csv mounts: a quote has no end");
        }
        if (text[i] != '"') {
          fields.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          fields.back() += text[++i];
        } else {
          break;
        }
      }
      ++i;
      if (i < text.size() && text[i] != ',') {
        return Invalid("failed to parse csv mounts: text after a quoted field");
      }
    }
  }
  return fields;
}

absl::string_view TypeName(Type type) {
  switch (type) {
    case Type::kBind:
      return "bind";
    case Type::kCache:
      return "cache";
    case Type::kTmpfs:
      return "tmpfs";
    case Type::kSecret:
      return "secret";
    case Type::kSsh:
      return "ssh";
  }
  CHECK(false);
}

std::optional<bool> ParseBool(absl::string_view text) {
  // strconv.ParseBool.
  static const std::set<absl::string_view> kTrue = {"1",    "t",    "T",
                                                    "TRUE", "true", "True"};
  static const std::set<absl::string_view> kFalse = {"0",     "f",     "F",
                                                     "FALSE", "false", "False"};
  if (kTrue.contains(text)) {
    return true;
  }
  return kFalse.contains(text) ? std::optional<bool>(false) : std::nullopt;
}

// "64m", "1GiB", "1.5g", bytes without a unit; powers of 1024.
std::optional<int64_t> ParseSize(absl::string_view text) {
  size_t digits = text.find_first_not_of("0123456789.");
  absl::string_view number = text.substr(0, digits);
  std::string unit = absl::AsciiStrToLower(
      absl::StripAsciiWhitespace(text.substr(number.size())));
  double value = 0;
  if (!absl::SimpleAtod(number, &value)) {
    return std::nullopt;
  }
  size_t power = 0;
  if (!unit.empty() && unit != "b") {
    power = absl::string_view(" kmgtp").find(unit[0]);
    absl::string_view rest = absl::string_view(unit).substr(1);
    if (power == absl::string_view::npos || power == 0 ||
        (rest != "" && rest != "b" && rest != "ib")) {
      return std::nullopt;
    }
  }
  for (; power > 0; --power) {
    value *= 1024;
  }
  return value < 9.2e18 ? std::optional(static_cast<int64_t>(value))
                        : std::nullopt;
}

std::optional<uint32_t> ParseNumber(absl::string_view text, int base) {
  if (text.empty() || !absl::ascii_isdigit(text[0])) {
    return std::nullopt;
  }
  std::string digits(text);
  char* end = nullptr;
  errno = 0;
  uint64_t value = strtoull(digits.c_str(), &end, base);
  if (*end != '\0' || errno != 0 || value > UINT32_MAX) {
    return std::nullopt;
  }
  return static_cast<uint32_t>(value);
}

// Takes the fields of one record one after the other, then checks the whole.
class MountReader {
 public:
  explicit MountReader(ValueExpander expand) : expand_(expand) {}

  absl::Status ReadField(const std::string& field);
  absl::StatusOr<MountSpec> Finish();

 private:
  absl::Status SetBare(const std::string& key, const std::string& field);
  absl::Status SetValue(const std::string& key, const std::string& field,
                        const std::string& value);
  absl::Status SetType(const std::string& value);
  absl::Status SetSharing(const std::string& value);
  absl::Status SetRequired(const std::string& value);
  absl::Status SetNumber(const std::string& key, const std::string& value);
  absl::Status CheckFileInfo() const;
  absl::Status CheckSharing() const;
  absl::Status FinishSecret();

  ValueExpander expand_;
  MountSpec spec_;
  std::optional<bool> read_only_;
  std::optional<Mount::Sharing> sharing_;
  std::optional<uint32_t> mode_, uid_, gid_;
};

absl::Status MountReader::ReadField(const std::string& field) {
  size_t equals = field.find('=');
  std::string key = absl::AsciiStrToLower(field.substr(0, equals));
  if (equals == std::string::npos) {
    return SetBare(key, field);
  }
  std::string value = field.substr(equals + 1);
  if (key != "from") {
    ASSIGN_OR_RETURN(value, expand_(value));
  }
  return SetValue(key, field, value);
}

absl::Status MountReader::SetBare(const std::string& key,
                                  const std::string& field) {
  if (key == "ro" || key == "readonly") {
    read_only_ = true;
    return absl::OkStatus();
  }
  if (key == "rw" || key == "readwrite") {
    read_only_ = false;
    return absl::OkStatus();
  }
  if (key == "required") {
    return SetRequired("true");
  }
  return Invalid("invalid field '", field, "' must be a key=value pair");
}

absl::Status MountReader::SetValue(const std::string& key,
                                   const std::string& field,
                                   const std::string& value) {
  Mount& mount = spec_.mount;
  if (key == "type") {
    return SetType(value);
  }
  if (key == "from") {
    spec_.from = value;
  } else if (key == "source" || key == "src") {
    mount.source = value;
  } else if (key == "target" || key == "dst" || key == "destination") {
    mount.target = value;
  } else if (key == "ro" || key == "readonly" || key == "rw" ||
             key == "readwrite") {
    std::optional<bool> on = ParseBool(value);
    if (!on.has_value()) {
      return Invalid("invalid value for ", key, ": ", value);
    }
    read_only_ = *on == (key[1] == 'o' || key == "readonly");
  } else if (key == "required") {
    return SetRequired(value);
  } else if (key == "size") {
    if (mount.type != Type::kTmpfs) {
      return Invalid("unexpected key 'size' for mount type '",
                     TypeName(mount.type), "'");
    }
    std::optional<int64_t> size = ParseSize(value);
    if (!size.has_value()) {
      return Invalid("invalid value for size: ", value);
    }
    mount.size = *size;
  } else if (key == "id") {
    mount.id = value;
  } else if (key == "sharing") {
    return SetSharing(value);
  } else if (key == "mode" || key == "uid" || key == "gid") {
    return SetNumber(key, value);
  } else if (key == "env") {
    mount.env = value;
  } else {
    return Invalid(
        "unexpected key '", key, "' in '", field, "'",
        DidYouMean(key,
                   {"type", "from", "source", "target", "readonly", "readwrite",
                    "id", "sharing", "required", "size", "mode", "uid", "gid",
                    "src", "dst", "destination", "ro", "rw", "env"}));
  }
  return absl::OkStatus();
}

absl::Status MountReader::SetType(const std::string& value) {
  std::string lower = absl::AsciiStrToLower(value);
  for (Type type :
       {Type::kBind, Type::kCache, Type::kTmpfs, Type::kSecret, Type::kSsh}) {
    if (TypeName(type) == lower) {
      spec_.mount.type = type;
      return absl::OkStatus();
    }
  }
  return Invalid(
      "unsupported mount type ", GoQuote(value),
      DidYouMean(lower, {"bind", "cache", "tmpfs", "secret", "ssh"}));
}

absl::Status MountReader::SetSharing(const std::string& value) {
  std::string lower = absl::AsciiStrToLower(value);
  if (lower == "shared") {
    sharing_ = Mount::Sharing::kShared;
  } else if (lower == "private") {
    sharing_ = Mount::Sharing::kPrivate;
  } else if (lower == "locked") {
    sharing_ = Mount::Sharing::kLocked;
  } else {
    return Invalid("unsupported sharing value ", GoQuote(value),
                   DidYouMean(lower, {"shared", "private", "locked"}));
  }
  return absl::OkStatus();
}

absl::Status MountReader::SetRequired(const std::string& value) {
  Mount& mount = spec_.mount;
  // The type may still follow in the record; BuildKit does not look ahead.
  if (mount.type != Type::kSecret && mount.type != Type::kSsh) {
    return Invalid("unexpected key 'required' for mount type '",
                   TypeName(mount.type), "'");
  }
  std::optional<bool> required = ParseBool(value);
  if (!required.has_value()) {
    return Invalid("invalid value for required: ", value);
  }
  mount.required = *required;
  return absl::OkStatus();
}

absl::Status MountReader::SetNumber(const std::string& key,
                                    const std::string& value) {
  std::optional<uint32_t> number = ParseNumber(value, key == "mode" ? 8 : 10);
  if (!number.has_value()) {
    return Invalid("invalid value ", value, " for ", key);
  }
  (key == "mode" ? mode_ : key == "uid" ? uid_ : gid_) = number;
  return absl::OkStatus();
}

absl::Status MountReader::CheckFileInfo() const {
  Type type = spec_.mount.type;
  if (type != Type::kBind && type != Type::kTmpfs) {
    return absl::OkStatus();
  }
  absl::string_view key = mode_.has_value()  ? "mode"
                          : uid_.has_value() ? "uid"
                          : gid_.has_value() ? "gid"
                                             : "";
  if (key.empty()) {
    return absl::OkStatus();
  }
  return Invalid(key, " not allowed for \"", TypeName(type), "\" type mounts");
}

absl::Status MountReader::CheckSharing() const {
  Type type = spec_.mount.type;
  if (!sharing_.has_value() || type == Type::kCache) {
    return absl::OkStatus();
  }
  if (type == Type::kSecret) {
    return Invalid("secret mount should not define sharing");
  }
  return Invalid("invalid cache sharing set for ", TypeName(type), " mount");
}

absl::Status MountReader::FinishSecret() {
  Mount& mount = spec_.mount;
  if (!spec_.from.empty()) {
    return Invalid("secret mount should not have a from");
  }
  if (mount.source.empty() && mount.target.empty() && mount.id.empty()) {
    return Invalid("invalid secret mount. one of source, target required");
  }
  if (!mount.source.empty() && !mount.id.empty()) {
    return Invalid("both source and id can't be set");
  }
  if (mount.id.empty()) {
    mount.id = mount.source;
  }
  mount.source.clear();
  return absl::OkStatus();
}

absl::StatusOr<MountSpec> MountReader::Finish() {
  Mount& mount = spec_.mount;
  RETURN_IF_ERROR(CheckFileInfo());
  if (mount.type == Type::kSecret) {
    RETURN_IF_ERROR(FinishSecret());
  }
  RETURN_IF_ERROR(CheckSharing());
  if (mount.type == Type::kSsh && !mount.source.empty()) {
    return Invalid("ssh does not support source");
  }
  bool needs_target = mount.type != Type::kSecret && mount.type != Type::kSsh;
  if (needs_target && mount.target.empty()) {
    return Invalid("target required");
  }
  bool writable = mount.type == Type::kCache || mount.type == Type::kTmpfs;
  bool file = mount.type == Type::kSecret || mount.type == Type::kSsh;
  mount.read_only = file || read_only_.value_or(!writable);
  mount.sharing = sharing_.value_or(Mount::Sharing::kShared);
  uint32_t mode = mount.type == Type::kCache    ? 0755
                  : mount.type == Type::kSecret ? 0400
                  : mount.type == Type::kSsh    ? 0600
                                                : 0;
  mount.mode = mode_.value_or(mode);
  mount.uid = uid_.value_or(0);
  mount.gid = gid_.value_or(0);
  return std::move(spec_);
}

// $x, ${x}: "from" followed by anything that could be a variable.
bool HasVariable(absl::string_view text) {
  size_t dollar = text.find('$');
  return dollar != absl::string_view::npos && dollar + 1 < text.size();
}

}  // namespace

absl::StatusOr<MountSpec> ParseMount(absl::string_view text,
                                     ValueExpander expand) {
  ASSIGN_OR_RETURN(std::vector<std::string> fields, SplitRecord(text));
  MountReader reader(expand);
  for (const std::string& field : fields) {
    RETURN_IF_ERROR(reader.ReadField(field));
  }
  return reader.Finish();
}

absl::StatusOr<std::string> ParseMountFrom(absl::string_view text) {
  ASSIGN_OR_RETURN(std::vector<std::string> fields, SplitRecord(text));
  std::string from;
  for (const std::string& field : fields) {
    size_t equals = field.find('=');
    if (equals == std::string::npos ||
        !absl::EqualsIgnoreCase(field.substr(0, equals), "from")) {
      continue;
    }
    from = field.substr(equals + 1);
    if (HasVariable(from)) {
      return Invalid(
          "'from' doesn't support variable expansion, define alias "
          "stage instead");
    }
  }
  return from;
}

}  // namespace lamina::frontend
