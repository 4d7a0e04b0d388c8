#include "frontend/dockerfile/mount.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/mount_record.h"

namespace lamina::frontend {
namespace {

using ir::Mount;
using Type = Mount::Type;

constexpr std::array<absl::string_view, 19> kKeys = {
    "type",        "from", "source",  "target",   "readonly",
    "readwrite",   "id",   "sharing", "required", "size",
    "mode",        "uid",  "gid",     "src",      "dst",
    "destination", "ro",   "rw",      "env"};

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
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
  MountReader(SourceRange whole, ValueExpander expand, MountMistake& mistake)
      : expand_(expand), mistake_(mistake) {
    spec_.source_place = whole;
  }

  // An error is at the place that `mistake` then names.
  absl::Status ReadField(const MountField& field);
  absl::StatusOr<MountSpec> Finish();

 private:
  absl::Status SetBare(const std::string& key, const std::string& field);
  absl::Status SetValue(const std::string& key, const std::string& field,
                        const std::string& value);
  absl::Status SetType(const std::string& value);
  absl::Status SetSharing(const std::string& value);
  absl::Status SetRequired(const std::string& value);
  absl::Status SetNumber(const std::string& key, const std::string& value);
  absl::Status CheckFileInfo();
  absl::Status CheckSharing();
  absl::Status FinishSecret();
  // A word that is none of the known ones; the hint names the nearest or all.
  absl::Status Unknown(absl::string_view message, const std::string& word,
                       const std::vector<std::string>& known);
  // A field that must not be there.
  absl::Status Unwanted(absl::string_view key, absl::string_view message);

  ValueExpander expand_;
  MountMistake& mistake_;
  std::map<std::string, SourceRange> places_;  // By key, of whole fields.
  MountSpec spec_;
  std::optional<bool> read_only_;
  std::optional<Mount::Sharing> sharing_;
  std::optional<uint32_t> mode_, uid_, gid_;
};

absl::Status MountReader::Unknown(absl::string_view message,
                                  const std::string& word,
                                  const std::vector<std::string>& known) {
  std::optional<std::string> near = Closest(word, known);
  mistake_.better = near.value_or("");
  return Invalid(message, near.has_value()
                              ? absl::StrCat("; did you mean `", *near, "`?")
                              : absl::StrCat("; it is ", Choices(known)));
}

absl::Status MountReader::Unwanted(absl::string_view key,
                                   absl::string_view message) {
  auto place = places_.find(std::string(key));
  if (place != places_.end()) {
    mistake_.place = place->second;
  }
  return Invalid(message, "; remove it");
}

// One name for all the spellings of a key.
std::string CanonicalKey(const std::string& key) {
  return key == "src"                           ? "source"
         : key == "dst" || key == "destination" ? "target"
                                                : key;
}

absl::Status MountReader::ReadField(const MountField& field) {
  std::string key = field.key();
  places_[CanonicalKey(key)] = field.place;
  mistake_.place = field.place;
  if (!field.has_value()) {
    return SetBare(key, field.text);
  }
  mistake_.place = field.ValuePlace();
  std::string value = field.value();
  if (key != "from") {
    absl::StatusOr<std::string> expanded = expand_(value);
    if (!expanded.ok()) {
      absl::string_view message = expanded.status().message();
      return Invalid(message, ExpansionHint(message));
    }
    value = *std::move(expanded);
  }
  absl::Status status = SetValue(key, field.text, value);
  // An unknown key is the mistake, not its value.
  if (!absl::c_linear_search(kKeys, key) ||
      absl::StartsWith(status.message(), "unexpected key")) {
    mistake_.place = field.KeyPlace();
  }
  return status;
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
  std::string message =
      absl::StrCat("invalid field '", field, "' must be a key=value pair");
  if (absl::c_linear_search(kKeys, key)) {
    return Invalid(message, "; write ", key, "=VALUE");
  }
  std::optional<std::string> near = Closest(key, {kKeys.begin(), kKeys.end()});
  mistake_.better = near.value_or("");
  return Invalid(message, near.has_value()
                              ? absl::StrCat("; did you mean `", *near, "`?")
                              : "; quote a value that has a comma");
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
    spec_.source_place = mistake_.place;
  } else if (key == "target" || key == "dst" || key == "destination") {
    mount.target = value;
  } else if (key == "ro" || key == "readonly" || key == "rw" ||
             key == "readwrite") {
    std::optional<bool> on = ParseBool(value);
    if (!on.has_value()) {
      return Unknown(absl::StrCat("invalid value for ", key, ": ", value),
                     value, {"true", "false"});
    }
    read_only_ = *on == (key[1] == 'o' || key == "readonly");
  } else if (key == "required") {
    return SetRequired(value);
  } else if (key == "size") {
    if (mount.type != Type::kTmpfs) {
      return Invalid("unexpected key 'size' for mount type '",
                     TypeName(mount.type), "'; write type=tmpfs before it");
    }
    std::optional<int64_t> size = ParseSize(value);
    if (!size.has_value()) {
      return Invalid("invalid value for size: ", value,
                     "; write bytes, or one such as 64m");
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
    return Unknown(absl::StrCat("unexpected key '", key, "' in '", field, "'"),
                   key, {kKeys.begin(), kKeys.end()});
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
  return Unknown(absl::StrCat("unsupported mount type ", GoQuote(value)), lower,
                 {"bind", "cache", "tmpfs", "secret", "ssh"});
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
    return Unknown(absl::StrCat("unsupported sharing value ", GoQuote(value)),
                   lower, {"shared", "private", "locked"});
  }
  return absl::OkStatus();
}

absl::Status MountReader::SetRequired(const std::string& value) {
  Mount& mount = spec_.mount;
  // The type may still follow in the record; BuildKit does not look ahead.
  if (mount.type != Type::kSecret && mount.type != Type::kSsh) {
    return Invalid("unexpected key 'required' for mount type '",
                   TypeName(mount.type),
                   "'; write type=secret or type=ssh before it");
  }
  std::optional<bool> required = ParseBool(value);
  if (!required.has_value()) {
    return Unknown(absl::StrCat("invalid value for required: ", value), value,
                   {"true", "false"});
  }
  mount.required = *required;
  return absl::OkStatus();
}

absl::Status MountReader::SetNumber(const std::string& key,
                                    const std::string& value) {
  std::optional<uint32_t> number = ParseNumber(value, key == "mode" ? 8 : 10);
  if (!number.has_value()) {
    return Invalid("invalid value ", value, " for ", key, "; write ",
                   key == "mode" ? "an octal number such as 0755"
                                 : "a number such as 1000");
  }
  (key == "mode" ? mode_ : key == "uid" ? uid_ : gid_) = number;
  return absl::OkStatus();
}

absl::Status MountReader::CheckFileInfo() {
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
  return Unwanted(key, absl::StrCat(key, " not allowed for \"", TypeName(type),
                                    "\" type mounts"));
}

absl::Status MountReader::CheckSharing() {
  Type type = spec_.mount.type;
  if (!sharing_.has_value() || type == Type::kCache) {
    return absl::OkStatus();
  }
  if (type == Type::kSecret) {
    return Unwanted("sharing", "secret mount should not define sharing");
  }
  return Unwanted("sharing", absl::StrCat("invalid cache sharing set for ",
                                          TypeName(type), " mount"));
}

absl::Status MountReader::FinishSecret() {
  Mount& mount = spec_.mount;
  if (!spec_.from.empty()) {
    return Unwanted("from", "secret mount should not have a from");
  }
  if (mount.source.empty() && mount.target.empty() && mount.id.empty()) {
    return Invalid(
        "invalid secret mount. one of source, target required; add id=NAME");
  }
  if (!mount.source.empty() && !mount.id.empty()) {
    mistake_.place = places_["source"];
    return Invalid("both source and id can't be set; remove one of the two");
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
    return Unwanted("source", "ssh does not support source");
  }
  bool needs_target = mount.type != Type::kSecret && mount.type != Type::kSsh;
  if (needs_target && mount.target.empty()) {
    return Invalid("target required; add target=PATH");
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
                                     ValueExpander expand,
                                     MountMistake& mistake) {
  mistake.place = {0, static_cast<uint32_t>(text.size())};
  ASSIGN_OR_RETURN(std::vector<MountField> fields, SplitMountRecord(text));
  SourceRange whole = mistake.place;
  MountReader reader(whole, expand, mistake);
  for (const MountField& field : fields) {
    RETURN_IF_ERROR(reader.ReadField(field));
  }
  mistake.place = whole;
  return reader.Finish();
}

absl::StatusOr<MountFrom> ParseMountFrom(absl::string_view text,
                                         MountMistake& mistake) {
  mistake.place = {0, static_cast<uint32_t>(text.size())};
  ASSIGN_OR_RETURN(std::vector<MountField> fields, SplitMountRecord(text));
  MountFrom from;
  for (const MountField& field : fields) {
    if (field.has_value() && field.key() == "type") {
      std::string type = absl::AsciiStrToLower(field.value());
      from.ignored = type == "tmpfs" || type == "ssh";
    }
    if (!field.has_value() || field.key() != "from") {
      continue;
    }
    from.name = field.value();
    from.place = field.ValuePlace();
    if (HasVariable(from.name)) {
      mistake.place = from.place;
      return Invalid(
          "'from' doesn't support variable expansion, define alias "
          "stage instead");
    }
  }
  return from;
}

}  // namespace lamina::frontend
