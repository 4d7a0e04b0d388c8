#include "backend/tar/tar_fields.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lamina::backend {

using ir::EntryType;

absl::StatusOr<int64_t> ParseTarNumber(absl::string_view field,
                                       absl::string_view name) {
  auto refuse = [&] {
    return BadTar(absl::StrCat("the ", name, " field is no number"));
  };
  auto first = static_cast<unsigned char>(field[0]);
  if ((first & 0x80) != 0) {
    // Two's complement, the first bit aside.
    int64_t value = (first & 0x40) != 0 ? -1 : 0;
    for (size_t i = 0; i < field.size(); ++i) {
      auto byte = static_cast<unsigned char>(field[i]);
      if (i == 0) {
        byte = (first & 0x40) != 0 ? byte | 0x80 : byte & 0x7f;
      }
      if (value > (INT64_MAX >> 8) || value < (INT64_MIN >> 8)) {
        return refuse();
      }
      value = static_cast<int64_t>(static_cast<uint64_t>(value) << 8 | byte);
    }
    return value;
  }
  field = field.substr(0, field.find('\0'));
  field = absl::StripAsciiWhitespace(field);
  int64_t value = 0;
  for (char c : field) {
    if (c < '0' || c > '7' || value > (INT64_MAX >> 3)) {
      return refuse();
    }
    value = value * 8 + (c - '0');
  }
  return value;
}

// Old writers summed signed bytes.
bool TarChecksumHolds(const TarHeaderBlock& header) {
  absl::StatusOr<int64_t> stored = TarNumber(header.checksum, "checksum");
  const char* bytes = reinterpret_cast<const char*>(&header);
  int64_t as_unsigned = 0;
  int64_t as_signed = 0;
  for (size_t i = 0; i < kTarBlock; ++i) {
    bool blank = i >= offsetof(TarHeaderBlock, checksum) &&
                 i < offsetof(TarHeaderBlock, type);
    char c = blank ? ' ' : bytes[i];
    as_unsigned += static_cast<unsigned char>(c);
    as_signed += static_cast<signed char>(c);
  }
  return stored.ok() && (*stored == as_unsigned || *stored == as_signed);
}

std::string TarName(const TarHeaderBlock& header) {
  // GNU tar and star keep other things in the prefix.
  bool ustar = memcmp(header.magic, "ustar", 6) == 0;
  if (!ustar || header.prefix[0] == '\0') {
    return std::string(TarText(header.name));
  }
  bool star = memcmp(header.unused + 8, "tar", 4) == 0;
  absl::string_view prefix(header.prefix,
                           strnlen(header.prefix, star ? 131 : 155));
  return absl::StrCat(prefix, "/", TarText(header.name));
}

std::optional<EntryType> TarType(char flag) {
  switch (flag) {
    case '0':
    case '\0':
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

absl::Status ParsePaxRecords(absl::string_view body,
                             std::map<std::string, std::string>& records) {
  while (!body.empty() && body[0] != '\0') {
    size_t blank = body.find(' ');
    uint64_t size = 0;
    if (blank == absl::string_view::npos || blank > 10 ||
        !absl::SimpleAtoi(body.substr(0, blank), &size) || size < blank + 3 ||
        size > body.size() || body[size - 1] != '\n') {
      return BadTar("malformed PAX record");
    }
    absl::string_view record = body.substr(blank + 1, size - blank - 2);
    size_t equals = record.find('=');
    if (equals == absl::string_view::npos || equals == 0) {
      return BadTar("malformed PAX record");
    }
    records[std::string(record.substr(0, equals))] =
        std::string(record.substr(equals + 1));
    body.remove_prefix(size);
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ParsePaxTime(absl::string_view text) {
  size_t point = text.find('.');
  absl::string_view fraction =
      point == absl::string_view::npos ? "" : text.substr(point + 1);
  int64_t seconds = 0;
  bool digits = std::all_of(fraction.begin(), fraction.end(),
                            [](char c) { return c >= '0' && c <= '9'; });
  if (!absl::SimpleAtoi(text.substr(0, point), &seconds) || !digits) {
    return BadTar("the PAX mtime is no number");
  }
  bool whole = fraction.find_first_not_of('0') == absl::string_view::npos;
  return absl::StartsWith(text, "-") && !whole ? seconds - 1 : seconds;
}

absl::StatusOr<uint32_t> ToUint32(int64_t value, absl::string_view name) {
  if (value < 0 || value > UINT32_MAX) {
    return BadTar(absl::StrCat("the ", name, " ", value, " is out of range"));
  }
  return static_cast<uint32_t>(value);
}

}  // namespace lamina::backend
