#include "backend/tar_fold_fields.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lamina::backend::fold {
using ir::EntryType;

absl::string_view Field(const char* block, size_t offset, size_t size) {
  return absl::string_view(block + offset, size);
}

std::string Text(absl::string_view field) {
  return std::string(field.substr(0, field.find('\0')));
}

namespace {

absl::Status Damaged() {
  return absl::DataLossError("a PAX record is damaged");
}

// Two's complement in all bits but the first, which marks the form.
std::optional<int64_t> Base256(absl::string_view field) {
  int64_t value = field[0] & 0x3f;
  if ((field[0] & 0x40) != 0) {
    value -= 0x40;
  }
  for (char c : field.substr(1)) {
    if (__builtin_mul_overflow(value, int64_t{256}, &value)) {
      return std::nullopt;
    }
    value += static_cast<unsigned char>(c);
  }
  return value;
}

}  // namespace

std::optional<int64_t> Number(absl::string_view field) {
  if ((field[0] & 0x80) != 0) {
    return Base256(field);
  }
  absl::string_view digits =
      absl::StripAsciiWhitespace(field.substr(0, field.find('\0')));
  int64_t value = 0;
  for (char c : digits) {
    if (c < '0' || c > '7' ||
        __builtin_mul_overflow(value, int64_t{8}, &value)) {
      return std::nullopt;
    }
    value += c - '0';
  }
  return value;
}

// The sum takes its own field as blanks; old writers took bytes as signed.
bool SumHolds(const char* block) {
  int64_t plain = 0;
  int64_t with_sign = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const char c = i >= 148 && i < 156 ? ' ' : block[i];
    plain += static_cast<unsigned char>(c);
    with_sign += static_cast<signed char>(c);
  }
  const std::optional<int64_t> stored = Number(Field(block, 148, 8));
  return stored == plain || stored == with_sign;
}

std::string HeaderName(const char* block) {
  const std::string name = Text(Field(block, 0, 100));
  // Only POSIX has a prefix: GNU keeps times there, star keeps less of it.
  if (Field(block, 257, 6) != absl::string_view("ustar\0", 6)) {
    return name;
  }
  const bool star = Field(block, 508, 4) == absl::string_view("tar\0", 4);
  const std::string prefix = Text(Field(block, 345, star ? 131 : 155));
  return prefix.empty() ? name : absl::StrCat(prefix, "/", name);
}

std::optional<EntryType> TypeOf(char flag) {
  switch (flag) {
    case '\0':
    case '0':
    case '7':
      return EntryType::kFile;
    case '1':
      return EntryType::kHardLink;
    case '2':
      return EntryType::kSymlink;
    case '3':
      return EntryType::kCharDevice;
    case '4':
      return EntryType::kBlockDevice;
    case '5':
      return EntryType::kDirectory;
    case '6':
      return EntryType::kFifo;
    default:
      return std::nullopt;
  }
}

// "LEN KEY=VALUE\n", where LEN counts the whole record.
absl::Status ParseRecords(absl::string_view body,
                          std::map<std::string, std::string>& records) {
  while (!body.empty() && body.front() != '\0') {
    const size_t blank = body.substr(0, 12).find(' ');
    uint64_t size = 0;
    if (blank == absl::string_view::npos ||
        !absl::SimpleAtoi(body.substr(0, blank), &size) || size > body.size() ||
        size < blank + 2 || body[size - 1] != '\n') {
      return Damaged();
    }
    const absl::string_view record = body.substr(blank + 1, size - blank - 2);
    const size_t equals = record.find('=');
    if (equals == 0 || equals == absl::string_view::npos) {
      return Damaged();
    }
    records[std::string(record.substr(0, equals))] =
        std::string(record.substr(equals + 1));
    body.remove_prefix(size);
  }
  return absl::OkStatus();
}

std::optional<int64_t> Seconds(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('.', 1));
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(parts.first, &seconds) ||
      parts.second.find_first_not_of("0123456789") != absl::string_view::npos) {
    return std::nullopt;
  }
  const bool fraction =
      parts.second.find_first_not_of('0') != absl::string_view::npos;
  return parts.first[0] == '-' && fraction ? seconds - 1 : seconds;
}

bool IsOfTheLayer(absl::string_view xattr) {
  return xattr == "security.capability" || xattr == "security.ima" ||
         xattr == "system.posix_acl_access" ||
         xattr == "system.posix_acl_default" ||
         (absl::StartsWith(xattr, "user.") &&
          !absl::StartsWith(xattr, "user.overlay."));
}

}  // namespace lamina::backend::fold
