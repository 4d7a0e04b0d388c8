#include "backend/tar/tar_writer.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "backend/tar/tar_header.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

constexpr uint64_t kMaxSize = 8'589'934'591;  // 11 octal digits.
constexpr uint64_t kMaxId = 2'097'151;        // 7 octal digits.
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxComponent = 255;
constexpr size_t kMaxDepth = 255;

template <size_t N>
void PutOctal(char (&field)[N], uint64_t value) {
  for (size_t i = N - 1; i-- > 0;) {
    field[i] = static_cast<char>('0' + (value & 7));
    value >>= 3;
  }
  field[N - 1] = '\0';
  CHECK(value == 0);
}

// The start of `text` when it is too long: a PAX record has the whole then.
template <size_t N>
void PutText(char (&field)[N], absl::string_view text) {
  memcpy(field, text.data(), std::min(N, text.size()));
}

void PutChecksum(TarHeaderBlock& header) {
  memset(header.checksum, ' ', sizeof header.checksum);
  unsigned sum = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  for (size_t i = 0; i < kTarBlock; ++i) {
    sum += bytes[i];
  }
  snprintf(header.checksum, sizeof header.checksum, "%06o", sum);
  header.checksum[7] = ' ';
}

void PutMagic(TarHeaderBlock& header) {
  memcpy(header.magic, "ustar", 6);
  memcpy(header.version, "00", 2);
}

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
}

// Splits `name` at a slash into the prefix and name fields. False when it does
// not fit, or is better off in a PAX record.
bool PutName(TarHeaderBlock& header, absl::string_view name) {
  if (!IsAscii(name)) {
    PutText(header.name, name);
    return false;
  }
  if (name.size() <= sizeof header.name) {
    PutText(header.name, name);
    return true;
  }
  // The last slash that leaves a prefix that fits; the one at the end of a
  // folder's name must stay with the name.
  size_t last = std::min(name.size() - 2, sizeof header.prefix);
  size_t slash = name.rfind('/', last);
  if (slash == absl::string_view::npos || slash == 0 ||
      name.size() - slash - 1 > sizeof header.name) {
    PutText(header.name, name);
    return false;
  }
  PutText(header.prefix, name.substr(0, slash));
  PutText(header.name, name.substr(slash + 1));
  return true;
}

char TypeFlag(EntryType type) {
  switch (type) {
    case EntryType::kHardLink:
      return '1';
    case EntryType::kSymlink:
      return '2';
    case EntryType::kCharDevice:
      return '3';
    case EntryType::kBlockDevice:
      return '4';
    case EntryType::kDirectory:
      return '5';
    case EntryType::kFifo:
      return '6';
    case EntryType::kFile:
    case EntryType::kWhiteout:
    case EntryType::kOpaque:
      return '0';
  }
  return '0';
}

std::string NameInTar(const Entry& entry) {
  switch (entry.type) {
    case EntryType::kDirectory:
      return entry.path.empty() ? "./" : absl::StrCat(entry.path, "/");
    case EntryType::kWhiteout:
      return JoinPath(DirName(entry.path),
                      absl::StrCat(".wh.", BaseName(entry.path)));
    case EntryType::kOpaque:
      return JoinPath(entry.path, ".wh..wh..opq");
    default:
      return entry.path;
  }
}

// "LEN KEY=VALUE\n"; LEN counts its own digits.
std::string PaxRecord(absl::string_view key, absl::string_view value) {
  size_t size = key.size() + value.size() + 3;
  size_t total = size + absl::StrCat(size).size();
  total = size + absl::StrCat(total).size();
  return absl::StrCat(total, " ", key, "=", value, "\n");
}

std::string PaxHeader(absl::string_view name,
                      const std::map<std::string, std::string>& records) {
  std::string body;
  for (const auto& [key, value] : records) {
    body += PaxRecord(key, value);
  }
  while (!name.empty() && name.back() == '/') {
    name.remove_suffix(1);
  }
  TarHeaderBlock header = {};
  PutText(header.name, absl::StrCat("PaxHeaders.0/", BaseName(name)));
  PutOctal(header.mode, 0644);
  PutOctal(header.uid, 0);
  PutOctal(header.gid, 0);
  PutOctal(header.size, body.size());
  PutOctal(header.mtime, 0);
  PutOctal(header.major, 0);
  PutOctal(header.minor, 0);
  header.type = 'x';
  PutMagic(header);
  PutChecksum(header);
  std::string out(reinterpret_cast<const char*>(&header), kTarBlock);
  absl::StrAppend(&out, body, TarPadding(body.size()));
  return out;
}

}  // namespace

std::string TarHeader(const Entry& entry) {
  std::string name = NameInTar(entry);
  std::map<std::string, std::string> records;
  TarHeaderBlock header = {};

  if (!PutName(header, name)) {
    records["path"] = name;
  }
  PutText(header.link, entry.link);
  if (entry.link.size() > sizeof header.link || !IsAscii(entry.link)) {
    records["linkpath"] = entry.link;
  }
  auto number = [&records](const char* key, auto& field, uint64_t value,
                           uint64_t max) {
    PutOctal(field, value <= max ? value : 0);
    if (value > max) {
      records[key] = absl::StrCat(value);
    }
  };
  number("uid", header.uid, entry.uid, kMaxId);
  number("gid", header.gid, entry.gid, kMaxId);
  number("size", header.size, entry.type == EntryType::kFile ? entry.size : 0,
         kMaxSize);
  bool early = entry.mtime < 0;
  number("mtime", header.mtime, early ? 0 : static_cast<uint64_t>(entry.mtime),
         kMaxSize);
  if (early) {
    records["mtime"] = absl::StrCat(entry.mtime);
  }
  for (const auto& [key, value] : entry.xattrs) {
    records[absl::StrCat("SCHILY.xattr.", key)] = value;
  }

  bool device = entry.type == EntryType::kCharDevice ||
                entry.type == EntryType::kBlockDevice;
  PutOctal(header.mode, entry.mode & 07777);
  PutOctal(header.major, device ? entry.major : 0);
  PutOctal(header.minor, device ? entry.minor : 0);
  header.type = TypeFlag(entry.type);
  PutMagic(header);
  PutChecksum(header);

  std::string out = records.empty() ? "" : PaxHeader(name, records);
  out.append(reinterpret_cast<const char*>(&header), kTarBlock);
  return out;
}

std::string TarPadding(uint64_t size) {
  return std::string((kTarBlock - size % kTarBlock) % kTarBlock, '\0');
}

std::string TarEnd() { return std::string(2 * kTarBlock, '\0'); }

absl::Status CheckEntryName(absl::string_view path) {
  auto refuse = [path](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", EscapeControls(KeepStart(path, 200)), "` ", why));
  };
  if (path.empty()) {
    return absl::OkStatus();
  }
  if (path.size() > kMaxPath) {
    return refuse("is longer than 4096 bytes");
  }
  if (path.find('\0') != absl::string_view::npos) {
    return refuse("contains a NUL byte");
  }
  size_t depth = 0;
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return refuse("has an empty, `.` or `..` component");
    }
    if (absl::StartsWith(part, ".wh.")) {
      return refuse(
          "cannot be stored in a layer; names beginning with `.wh.` mark "
          "deleted files there");
    }
    if (part.size() > kMaxComponent) {
      return refuse("has a component longer than 255 bytes");
    }
    if (++depth > kMaxDepth) {
      return refuse("is more than 255 folders deep");
    }
  }
  return absl::OkStatus();
}

bool LayerKeepsXattr(absl::string_view name) {
  return name == "security.capability" || name == "security.ima" ||
         name == "system.posix_acl_access" ||
         name == "system.posix_acl_default" ||
         (absl::StartsWith(name, "user.") &&
          !absl::StartsWith(name, "user.overlay."));
}

}  // namespace lamina::backend
