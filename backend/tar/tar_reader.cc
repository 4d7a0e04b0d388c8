#include "backend/tar/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "backend/tar/tar_header.h"
#include "backend/tar/tar_writer.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

constexpr size_t kReadAhead = 64 << 10;

absl::Status Bad(absl::string_view what) { return absl::DataLossError(what); }

template <size_t N>
absl::string_view Text(const char (&field)[N]) {
  return absl::string_view(field, strnlen(field, N));
}

// A number in octal digits, or in base 256 when the first bit is set.
absl::StatusOr<int64_t> ParseNumber(absl::string_view field,
                                    absl::string_view name) {
  auto refuse = [&] {
    return Bad(absl::StrCat("the ", name, " field is no number"));
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

template <size_t N>
absl::StatusOr<int64_t> Number(const char (&field)[N], absl::string_view name) {
  return ParseNumber(absl::string_view(field, N), name);
}

// Old writers summed signed bytes.
bool ChecksumHolds(const TarHeaderBlock& header) {
  absl::StatusOr<int64_t> stored = Number(header.checksum, "checksum");
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

std::string NameOf(const TarHeaderBlock& header) {
  // GNU tar and star keep other things in the prefix.
  bool ustar = memcmp(header.magic, "ustar", 6) == 0;
  if (!ustar || header.prefix[0] == '\0') {
    return std::string(Text(header.name));
  }
  bool star = memcmp(header.unused + 8, "tar", 4) == 0;
  absl::string_view prefix(header.prefix,
                           strnlen(header.prefix, star ? 131 : 155));
  return absl::StrCat(prefix, "/", Text(header.name));
}

std::optional<EntryType> TypeOf(char flag) {
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

// "LEN KEY=VALUE\n"...; an empty value takes a record back.
absl::Status ParsePax(absl::string_view body,
                      std::map<std::string, std::string>& records) {
  while (!body.empty() && body[0] != '\0') {
    size_t blank = body.find(' ');
    uint64_t size = 0;
    if (blank == absl::string_view::npos || blank > 10 ||
        !absl::SimpleAtoi(body.substr(0, blank), &size) || size < blank + 3 ||
        size > body.size() || body[size - 1] != '\n') {
      return Bad("malformed PAX record");
    }
    absl::string_view record = body.substr(blank + 1, size - blank - 2);
    size_t equals = record.find('=');
    if (equals == absl::string_view::npos || equals == 0) {
      return Bad("malformed PAX record");
    }
    records[std::string(record.substr(0, equals))] =
        std::string(record.substr(equals + 1));
    body.remove_prefix(size);
  }
  return absl::OkStatus();
}

// Decimal seconds with an optional fraction, floored.
absl::StatusOr<int64_t> ParseTime(absl::string_view text) {
  size_t point = text.find('.');
  absl::string_view fraction =
      point == absl::string_view::npos ? "" : text.substr(point + 1);
  int64_t seconds = 0;
  bool digits = std::all_of(fraction.begin(), fraction.end(),
                            [](char c) { return c >= '0' && c <= '9'; });
  if (!absl::SimpleAtoi(text.substr(0, point), &seconds) || !digits) {
    return Bad("the PAX mtime is no number");
  }
  bool whole = fraction.find_first_not_of('0') == absl::string_view::npos;
  return absl::StartsWith(text, "-") && !whole ? seconds - 1 : seconds;
}

absl::StatusOr<uint32_t> ToUint32(int64_t value, absl::string_view name) {
  if (value < 0 || value > UINT32_MAX) {
    return Bad(absl::StrCat("the ", name, " ", value, " is out of range"));
  }
  return static_cast<uint32_t>(value);
}

}  // namespace

absl::StatusOr<size_t> TarReader::ReadSource(char* buffer, size_t size) {
  if (position_ == buffer_.size() && size >= kReadAhead) {
    ASSIGN_OR_RETURN(size_t got, source_.Read(buffer, size));
    offset_ += got;
    return got;
  }
  if (position_ == buffer_.size()) {
    buffer_.resize(kReadAhead);
    position_ = 0;
    absl::StatusOr<size_t> got = source_.Read(buffer_.data(), kReadAhead);
    buffer_.resize(got.ok() ? *got : 0);
    RETURN_IF_ERROR(got.status());
  }
  size_t take = std::min(size, buffer_.size() - position_);
  memcpy(buffer, buffer_.data() + position_, take);
  position_ += take;
  offset_ += take;
  return take;
}

absl::Status TarReader::Skip(uint64_t size) {
  std::string scratch(std::min<uint64_t>(size, 1 << 20), '\0');
  while (size > 0) {
    size_t want = std::min<uint64_t>(size, scratch.size());
    ASSIGN_OR_RETURN(size_t got, ReadSource(scratch.data(), want));
    if (got == 0) {
      return Bad("the tar ends in the middle of a member");
    }
    size -= got;
  }
  return absl::OkStatus();
}

// False at a clean end of the source.
absl::StatusOr<bool> TarReader::ReadBlock(char* block) {
  size_t done = 0;
  while (done < kTarBlock) {
    ASSIGN_OR_RETURN(size_t got, ReadSource(block + done, kTarBlock - done));
    if (got == 0 && done == 0) {
      return false;
    }
    if (got == 0) {
      return Bad("the tar ends in the middle of a header");
    }
    done += got;
  }
  return true;
}

// Two zero blocks are the end; one zero block and then bytes is garbage.
absl::StatusOr<bool> TarReader::AtEnd(const char* block) {
  auto zero = [](const char* bytes) {
    return std::all_of(bytes, bytes + kTarBlock,
                       [](char c) { return c == '\0'; });
  };
  if (!zero(block)) {
    return false;
  }
  char second[kTarBlock];
  ASSIGN_OR_RETURN(bool more, ReadBlock(second));
  if (more && !zero(second)) {
    return Bad("members after a zero block");
  }
  return true;
}

absl::StatusOr<bool> TarReader::Next(Entry& entry) {
  if (ended_) {
    return false;
  }
  absl::StatusOr<bool> found = false;
  if (absl::Status skipped = Skip(remaining_ + padding_); !skipped.ok()) {
    found = skipped;
  } else {
    name_.clear();
    start_ = offset_;
    remaining_ = padding_ = 0;
    found = ReadMember(entry);
  }
  ended_ = !found.ok() || !*found;
  if (found.ok()) {
    return found;
  }
  std::string where =
      name_.empty() ? "tar"
                    : absl::StrCat("tar member `", EscapeControls(name_), "`");
  return Annotate(found.status(), absl::StrCat(where, " at byte ", start_));
}

absl::StatusOr<bool> TarReader::ReadMember(Entry& entry) {
  Extension extension;
  while (true) {
    char block[kTarBlock];
    ASSIGN_OR_RETURN(bool more, ReadBlock(block));
    bool ended = !more;
    if (more) {
      ASSIGN_OR_RETURN(ended, AtEnd(block));
    }
    if (ended) {
      if (!extension.records.empty() || !extension.long_name.empty() ||
          !extension.long_link.empty()) {
        return Bad("an extended header without a member");
      }
      return false;
    }
    TarHeaderBlock header;
    memcpy(&header, block, sizeof header);
    if (!ChecksumHolds(header)) {
      return Bad("the checksum of the header is wrong");
    }
    if (absl::string_view("xXgLK").find(header.type) !=
        absl::string_view::npos) {
      RETURN_IF_ERROR(ReadExtension(header.type, block, extension));
      continue;
    }
    if (++entries_ > limits_.entries) {
      return Bad(absl::StrCat("more than ", limits_.entries, " members"));
    }
    return ReadHeader(block, extension, entry);
  }
}

absl::Status TarReader::ReadExtension(char type, const char* block,
                                      Extension& extension) {
  TarHeaderBlock header;
  memcpy(&header, block, sizeof header);
  ASSIGN_OR_RETURN(int64_t size, Number(header.size, "size"));
  if (size < 0 || static_cast<uint64_t>(size) > limits_.extended_header) {
    return Bad(absl::StrCat("an extended header of more than ",
                            limits_.extended_header, " bytes"));
  }
  remaining_ = static_cast<uint64_t>(size);
  ASSIGN_OR_RETURN(std::string body, ReadAllContent(remaining_));
  RETURN_IF_ERROR(Skip(TarPadding(body.size()).size()));
  padding_ = 0;
  switch (type) {
    case 'L':
      extension.long_name = body.substr(0, body.find('\0'));
      return absl::OkStatus();
    case 'K':
      extension.long_link = body.substr(0, body.find('\0'));
      return absl::OkStatus();
    case 'g': {
      // Checked, and ignored as containerd and containers/storage do.
      std::map<std::string, std::string> ignored;
      return ParsePax(body, ignored);
    }
    default:
      return ParsePax(body, extension.records);
  }
}

absl::StatusOr<bool> TarReader::ReadHeader(const char* block,
                                           Extension& extension, Entry& entry) {
  TarHeaderBlock header;
  memcpy(&header, block, sizeof header);
  entry = Entry{};
  std::string name = NameOf(header);
  if (!extension.long_name.empty()) {
    name = extension.long_name;
  }
  name_ = name.substr(0, 200);
  if (header.type == 'S') {
    return absl::UnimplementedError("sparse members are not supported");
  }
  std::optional<EntryType> type = TypeOf(header.type);
  if (!type.has_value()) {
    return Bad(absl::StrCat("unknown member type `",
                            EscapeControls({&header.type, 1}), "`"));
  }
  entry.type = *type;
  entry.link = extension.long_link.empty() ? std::string(Text(header.link))
                                           : extension.long_link;
  ASSIGN_OR_RETURN(int64_t mode, Number(header.mode, "mode"));
  entry.mode = static_cast<uint32_t>(mode & 07777);
  if (!extension.records.contains("uid")) {
    ASSIGN_OR_RETURN(int64_t uid, Number(header.uid, "uid"));
    ASSIGN_OR_RETURN(entry.uid, ToUint32(uid, "uid"));
  }
  if (!extension.records.contains("gid")) {
    ASSIGN_OR_RETURN(int64_t gid, Number(header.gid, "gid"));
    ASSIGN_OR_RETURN(entry.gid, ToUint32(gid, "gid"));
  }
  ASSIGN_OR_RETURN(int64_t size, Number(header.size, "size"));
  if (size < 0) {
    return Bad("the size is negative");
  }
  entry.size = static_cast<uint64_t>(size);
  if (!extension.records.contains("mtime")) {
    ASSIGN_OR_RETURN(entry.mtime, Number(header.mtime, "mtime"));
  }
  if (entry.type == EntryType::kCharDevice ||
      entry.type == EntryType::kBlockDevice) {
    ASSIGN_OR_RETURN(int64_t major, Number(header.major, "major"));
    ASSIGN_OR_RETURN(int64_t minor, Number(header.minor, "minor"));
    ASSIGN_OR_RETURN(entry.major, ToUint32(major, "major number"));
    ASSIGN_OR_RETURN(entry.minor, ToUint32(minor, "minor number"));
  }
  RETURN_IF_ERROR(ApplyRecords(extension, entry, name));
  RETURN_IF_ERROR(CleanName(name, entry));
  if (entry.type == EntryType::kFile) {
    remaining_ = entry.size;
    padding_ = (kTarBlock - entry.size % kTarBlock) % kTarBlock;
  } else {
    entry.size = 0;
  }
  return true;
}

absl::Status TarReader::ApplyRecords(const Extension& extension, Entry& entry,
                                     std::string& name) {
  for (const auto& [key, value] : extension.records) {
    if (absl::StartsWith(key, "GNU.sparse.")) {
      return absl::UnimplementedError("sparse members are not supported");
    }
    absl::string_view xattr = key;
    if (absl::ConsumePrefix(&xattr, "SCHILY.xattr.")) {
      if (value.size() > limits_.xattr) {
        return Bad(
            absl::StrCat("an xattr of more than ", limits_.xattr, " bytes"));
      }
      if (LayerKeepsXattr(xattr) && !value.empty()) {
        entry.xattrs[std::string(xattr)] = value;
      }
      continue;
    }
    if (value.empty()) {
      continue;
    }
    uint32_t* id = key == "uid"   ? &entry.uid
                   : key == "gid" ? &entry.gid
                                  : nullptr;
    if (id != nullptr && !absl::SimpleAtoi(value, id)) {
      return Bad(absl::StrCat("the PAX ", key, " is no number"));
    }
    if (key == "size" &&
        (!absl::SimpleAtoi(value, &entry.size) || entry.size > INT64_MAX)) {
      return Bad("the PAX size is no number");
    }
    if (key == "mtime") {
      ASSIGN_OR_RETURN(entry.mtime, ParseTime(value));
    }
    if (key == "path") {
      name = value;
      name_ = name.substr(0, 200);
    }
    if (key == "linkpath") {
      entry.link = value;
    }
  }
  if (entry.xattrs.size() > limits_.xattrs) {
    return Bad(absl::StrCat("more than ", limits_.xattrs, " xattrs"));
  }
  return absl::OkStatus();
}

absl::Status TarReader::CleanName(absl::string_view name, Entry& entry) {
  if (name.empty()) {
    return Bad("the name is empty");
  }
  if (name.find('\0') != absl::string_view::npos ||
      entry.link.find('\0') != std::string::npos) {
    return Bad("the name contains a NUL byte");
  }
  // Before POSIX a slash at the end was the mark of a folder.
  if (entry.type == EntryType::kFile && name.back() == '/') {
    entry.type = EntryType::kDirectory;
  }
  std::vector<absl::string_view> parts;
  for (absl::string_view part : absl::StrSplit(name, '/', absl::SkipEmpty())) {
    if (part == "..") {
      return Bad("the name has a `..` component");
    }
    if (part == ".") {
      continue;
    }
    size_t mark = absl::StartsWith(part, ".wh.") ? 4 : 0;
    if (part.size() > limits_.component + mark) {
      return Bad(absl::StrCat("a component of the name is longer than ",
                              limits_.component, " bytes"));
    }
    parts.push_back(part);
  }
  entry.path = absl::StrJoin(parts, "/");
  if (entry.path.size() > limits_.path || entry.link.size() > limits_.path) {
    return Bad(
        absl::StrCat("the name is longer than ", limits_.path, " bytes"));
  }
  if (parts.size() > limits_.depth) {
    return Bad(
        absl::StrCat("the name is more than ", limits_.depth, " folders deep"));
  }
  if (parts.empty() && entry.type != EntryType::kDirectory) {
    return Bad("the root can only be a folder");
  }
  if (entry.type == EntryType::kHardLink) {
    std::vector<absl::string_view> link =
        absl::StrSplit(entry.link, '/', absl::SkipEmpty());
    std::erase(link, ".");
    entry.link = absl::StrJoin(link, "/");
  } else if (entry.type != EntryType::kSymlink) {
    entry.link.clear();
  }
  if (entry.link.empty() && (entry.type == EntryType::kHardLink ||
                             entry.type == EntryType::kSymlink)) {
    return Bad("the link has no target");
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> TarReader::ReadContent(void* buffer, size_t size) {
  size_t want = std::min<uint64_t>(size, remaining_);
  if (want == 0) {
    return 0;
  }
  absl::StatusOr<size_t> got = ReadSource(static_cast<char*>(buffer), want);
  if (got.ok() && *got == 0) {
    got = Bad("the tar ends in the middle of a member");
  }
  if (!got.ok()) {
    return Annotate(got.status(),
                    absl::StrCat("tar member `", EscapeControls(name_),
                                 "` at byte ", start_));
  }
  remaining_ -= *got;
  return got;
}

absl::StatusOr<std::string> TarReader::ReadAllContent(size_t limit) {
  if (remaining_ > limit) {
    return Bad(absl::StrCat("tar member `", EscapeControls(name_),
                            "` is longer than ", limit, " bytes"));
  }
  // Grows as bytes arrive: the size may be a lie.
  std::string out;
  while (remaining_ > 0) {
    size_t before = out.size();
    out.resize(before + std::min<uint64_t>(remaining_, 1 << 20));
    ASSIGN_OR_RETURN(size_t got,
                     ReadContent(out.data() + before, out.size() - before));
    out.resize(before + got);
  }
  return out;
}

absl::Status TarReader::Drain() {
  std::string scratch(kReadAhead, '\0');
  while (true) {
    ASSIGN_OR_RETURN(size_t got, ReadSource(scratch.data(), scratch.size()));
    if (got == 0) {
      remaining_ = padding_ = 0;
      ended_ = true;
      return absl::OkStatus();
    }
  }
}

absl::StatusOr<bool> InterpretWhiteout(Entry& entry) {
  constexpr absl::string_view kMark = ".wh.";
  constexpr absl::string_view kAufs = ".wh..wh.";
  auto refuse = [&entry](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("tar member `", EscapeControls(entry.path), "` ", why));
  };
  std::vector<absl::string_view> parts = absl::StrSplit(entry.path, '/');
  absl::string_view name = parts.back();
  for (absl::string_view part : parts) {
    bool marker = part.data() == name.data() && name == ".wh..wh..opq";
    if (absl::StartsWith(part, kAufs) && !marker) {
      return false;
    }
    if (absl::StartsWith(part, kMark) && part.data() != name.data()) {
      return refuse("is below a name that begins with `.wh.`");
    }
  }
  if (!absl::StartsWith(name, kMark)) {
    return true;
  }
  std::string folder(DirName(entry.path));
  absl::string_view target = name.substr(kMark.size());
  bool opaque = name == ".wh..wh..opq";
  if (target.empty() || target == "." || target == "..") {
    return refuse("deletes no name");
  }
  entry = Entry{.path = opaque ? folder : JoinPath(folder, target),
                .type = opaque ? EntryType::kOpaque : EntryType::kWhiteout};
  return true;
}

}  // namespace lamina::backend
