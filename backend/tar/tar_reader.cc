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
#include "backend/tar/tar_fields.h"
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
      return BadTar("the tar ends in the middle of a member");
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
      return BadTar("the tar ends in the middle of a header");
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
    return BadTar("members after a zero block");
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
        return BadTar("an extended header without a member");
      }
      return false;
    }
    TarHeaderBlock header;
    memcpy(&header, block, sizeof header);
    if (!TarChecksumHolds(header)) {
      return BadTar("the checksum of the header is wrong");
    }
    if (absl::string_view("xXgLK").find(header.type) !=
        absl::string_view::npos) {
      RETURN_IF_ERROR(ReadExtension(header.type, block, extension));
      continue;
    }
    if (++entries_ > limits_.entries) {
      return BadTar(absl::StrCat("more than ", limits_.entries, " members"));
    }
    return ReadHeader(block, extension, entry);
  }
}

absl::Status TarReader::ReadExtension(char type, const char* block,
                                      Extension& extension) {
  TarHeaderBlock header;
  memcpy(&header, block, sizeof header);
  ASSIGN_OR_RETURN(int64_t size, TarNumber(header.size, "size"));
  if (size < 0 || static_cast<uint64_t>(size) > limits_.extended_header) {
    return BadTar(absl::StrCat("an extended header of more than ",
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
      return ParsePaxRecords(body, ignored);
    }
    default:
      return ParsePaxRecords(body, extension.records);
  }
}

absl::StatusOr<bool> TarReader::ReadHeader(const char* block,
                                           Extension& extension, Entry& entry) {
  TarHeaderBlock header;
  memcpy(&header, block, sizeof header);
  entry = Entry{};
  std::string name = TarName(header);
  if (!extension.long_name.empty()) {
    name = extension.long_name;
  }
  name_ = name.substr(0, 200);
  if (header.type == 'S') {
    return absl::UnimplementedError("sparse members are not supported");
  }
  std::optional<EntryType> type = TarType(header.type);
  if (!type.has_value()) {
    return BadTar(absl::StrCat("unknown member type `",
                               EscapeControls({&header.type, 1}), "`"));
  }
  entry.type = *type;
  entry.link = extension.long_link.empty() ? std::string(TarText(header.link))
                                           : extension.long_link;
  ASSIGN_OR_RETURN(int64_t mode, TarNumber(header.mode, "mode"));
  entry.mode = static_cast<uint32_t>(mode & 07777);
  if (!extension.records.contains("uid")) {
    ASSIGN_OR_RETURN(int64_t uid, TarNumber(header.uid, "uid"));
    ASSIGN_OR_RETURN(entry.uid, ToUint32(uid, "uid"));
  }
  if (!extension.records.contains("gid")) {
    ASSIGN_OR_RETURN(int64_t gid, TarNumber(header.gid, "gid"));
    ASSIGN_OR_RETURN(entry.gid, ToUint32(gid, "gid"));
  }
  ASSIGN_OR_RETURN(int64_t size, TarNumber(header.size, "size"));
  if (size < 0) {
    return BadTar("the size is negative");
  }
  entry.size = static_cast<uint64_t>(size);
  if (!extension.records.contains("mtime")) {
    ASSIGN_OR_RETURN(entry.mtime, TarNumber(header.mtime, "mtime"));
  }
  if (entry.type == EntryType::kCharDevice ||
      entry.type == EntryType::kBlockDevice) {
    ASSIGN_OR_RETURN(int64_t major, TarNumber(header.major, "major"));
    ASSIGN_OR_RETURN(int64_t minor, TarNumber(header.minor, "minor"));
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
        return BadTar(
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
      return BadTar(absl::StrCat("the PAX ", key, " is no number"));
    }
    if (key == "size" &&
        (!absl::SimpleAtoi(value, &entry.size) || entry.size > INT64_MAX)) {
      return BadTar("the PAX size is no number");
    }
    if (key == "mtime") {
      ASSIGN_OR_RETURN(entry.mtime, ParsePaxTime(value));
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
    return BadTar(absl::StrCat("more than ", limits_.xattrs, " xattrs"));
  }
  return absl::OkStatus();
}

absl::Status TarReader::CleanName(absl::string_view name, Entry& entry) {
  if (name.empty()) {
    return BadTar("the name is empty");
  }
  if (name.find('\0') != absl::string_view::npos ||
      entry.link.find('\0') != std::string::npos) {
    return BadTar("the name contains a NUL byte");
  }
  // Before POSIX a slash at the end was the mark of a folder.
  if (entry.type == EntryType::kFile && name.back() == '/') {
    entry.type = EntryType::kDirectory;
  }
  std::vector<absl::string_view> parts;
  for (absl::string_view part : absl::StrSplit(name, '/', absl::SkipEmpty())) {
    if (part == "..") {
      return BadTar("the name has a `..` component");
    }
    if (part == ".") {
      continue;
    }
    size_t mark = absl::StartsWith(part, ".wh.") ? 4 : 0;
    if (part.size() > limits_.component + mark) {
      return BadTar(absl::StrCat("a component of the name is longer than ",
                                 limits_.component, " bytes"));
    }
    parts.push_back(part);
  }
  entry.path = absl::StrJoin(parts, "/");
  if (entry.path.size() > limits_.path || entry.link.size() > limits_.path) {
    return BadTar(
        absl::StrCat("the name is longer than ", limits_.path, " bytes"));
  }
  if (parts.size() > limits_.depth) {
    return BadTar(
        absl::StrCat("the name is more than ", limits_.depth, " folders deep"));
  }
  if (parts.empty() && entry.type != EntryType::kDirectory) {
    return BadTar("the root can only be a folder");
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
    return BadTar("the link has no target");
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
    got = BadTar("the tar ends in the middle of a member");
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
    return BadTar(absl::StrCat("tar member `", EscapeControls(name_),
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
