#include "backend/tar_fold_parser.h"

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
#include "backend/tar_fold_fields.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

using fold::Field;
using fold::kBlock;
using fold::Number;
using fold::ParseRecords;
using fold::Seconds;
using fold::Text;

using ir::EntryType;

constexpr uint64_t kMostExtension = 1 << 20;
constexpr size_t kLongestPath = 4096;
constexpr size_t kLongestComponent = 255;
constexpr size_t kDeepest = 255;
constexpr size_t kLargestXattr = 64 << 10;
constexpr size_t kMostXattrs = 256;
constexpr uint64_t kMostMembers = 5'000'000;

absl::Status Bad(absl::string_view what) { return absl::DataLossError(what); }

uint64_t PaddingOf(uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

}  // namespace

absl::Status FoldParser::Where(const absl::Status& status) const {
  const uint64_t offset = begun_ ? member_.offset : offset_;
  return Annotate(status,
                  name_.empty()
                      ? absl::StrCat("the tar at byte ", offset)
                      : absl::StrCat("`", EscapeControls(KeepStart(name_, 200)),
                                     "` at byte ", offset));
}

void FoldParser::NoteOddity(absl::string_view what) {
  if (member_.oddity.empty()) {
    member_.oddity = std::string(what);
  }
}

void FoldParser::Expect(Part part, uint64_t bytes) {
  part_ = part;
  wanted_ = bytes;
  block_.clear();
}

absl::Status FoldParser::Add(absl::string_view bytes) {
  while (failed_.ok() && !bytes.empty()) {
    if (absl::Status status = Take(bytes); !status.ok()) {
      failed_ = Where(status);
    }
  }
  return failed_;
}

absl::Status FoldParser::Take(absl::string_view& bytes) {
  const absl::string_view piece = bytes.substr(
      0, part_ == Part::kEnd ? bytes.size()
                             : std::min<uint64_t>(wanted_, bytes.size()));
  bytes.remove_prefix(piece.size());
  offset_ += piece.size();
  wanted_ -= part_ == Part::kEnd ? 0 : piece.size();
  switch (part_) {
    case Part::kEnd:
      after_end_ += piece.size();
      return absl::OkStatus();
    case Part::kContent:
      hasher_.Update(piece);
      return wanted_ == 0 ? EndContent() : absl::OkStatus();
    case Part::kPadding:
      if (wanted_ == 0) {
        Expect(Part::kHeader, kBlock);
      }
      return absl::OkStatus();
    case Part::kHeader:
    case Part::kExtension:
      block_.append(piece.data(), piece.size());
      break;
  }
  if (wanted_ > 0) {
    return absl::OkStatus();
  }
  return part_ == Part::kHeader ? EndBlock() : EndExtension();
}

absl::Status FoldParser::EndBlock() {
  const std::string block = std::move(block_);
  Expect(Part::kHeader, kBlock);
  if (block.find_first_not_of('\0') == std::string::npos) {
    if (begun_) {
      return Bad("an extended header without a member");
    }
    if (++zero_blocks_ == 2) {
      Expect(Part::kEnd, 0);
    }
    return absl::OkStatus();
  }
  if (zero_blocks_ > 0) {
    return Bad("a member after a zero block");
  }
  if (!begun_) {
    begun_ = true;
    member_.offset = offset_ - kBlock;
  }
  if (!fold::SumHolds(block.data())) {
    return Bad("the checksum of the header is wrong");
  }
  return BeginMember(block.data());
}

absl::Status FoldParser::BeginMember(const char* block) {
  const char flag = block[156];
  const std::optional<int64_t> size = Number(Field(block, 124, 12));
  if (!size.has_value() || *size < 0) {
    return Bad("the size is no number");
  }
  member_.state.size = static_cast<uint64_t>(*size);
  if (flag != 0 && std::strchr("xXgLK", flag) != nullptr) {
    return BeginExtension(flag, member_.state.size);
  }
  if (++members_ > kMostMembers) {
    return Bad(absl::StrCat("more than ", kMostMembers, " members"));
  }
  if (!long_name_) {
    name_ = fold::HeaderName(block);
  }
  if (!long_link_) {
    link_ = Text(Field(block, 157, 100));
  }
  if (flag == 'S') {
    return absl::UnimplementedError("sparse members are not supported");
  }
  const std::optional<EntryType> type = fold::TypeOf(flag);
  if (!type.has_value()) {
    return Bad(absl::StrCat("no type of member is called `",
                            EscapeControls({&flag, 1}), "`"));
  }
  member_.state.type = *type;
  if (Field(block, 265, 64).find_first_not_of('\0') != std::string::npos) {
    NoteOddity("names an owner by name");
  }
  RETURN_IF_ERROR(ReadNumbers(block));
  RETURN_IF_ERROR(ApplyRecords());
  RETURN_IF_ERROR(SetName());
  RETURN_IF_ERROR(SetLink());
  if (member_.state.type != EntryType::kFile || member_.hard_link) {
    // As Go's archive/tar: only files have bytes, whatever the size says.
    if (std::exchange(member_.state.size, 0) != 0) {
      NoteOddity("has a size but is no file");
    }
    return EndContent();
  }
  padding_ = PaddingOf(member_.state.size);
  Expect(Part::kContent, member_.state.size);
  return member_.state.size == 0 ? EndContent() : absl::OkStatus();
}

absl::Status FoldParser::BeginExtension(char type, uint64_t size) {
  if (size > kMostExtension) {
    return Bad(absl::StrCat("an extended header of more than ", kMostExtension,
                            " bytes"));
  }
  if (type != 'x') {
    NoteOddity("has a header that is neither ustar nor a PAX record");
  }
  extension_ = type;
  padding_ = PaddingOf(size);
  Expect(Part::kExtension, size);
  return size == 0 ? EndExtension() : absl::OkStatus();
}

absl::Status FoldParser::EndExtension() {
  const std::string body = std::move(block_);
  Expect(padding_ == 0 ? Part::kHeader : Part::kPadding,
         padding_ == 0 ? kBlock : padding_);
  if (extension_ == 'g') {
    // Checked and then ignored, as containerd and containers/storage do.
    Records ignored;
    RETURN_IF_ERROR(ParseRecords(body, ignored));
    begun_ = !records_.empty() || long_name_ || long_link_;
    return absl::OkStatus();
  }
  if (extension_ == 'L' || extension_ == 'K') {
    (extension_ == 'L' ? name_ : link_) = Text(body);
    (extension_ == 'L' ? long_name_ : long_link_) = true;
    return absl::OkStatus();
  }
  return ParseRecords(body, records_);
}

absl::Status FoldParser::ReadNumbers(const char* block) {
  ir::PathState& state = member_.state;
  const bool device = state.type == EntryType::kCharDevice ||
                      state.type == EntryType::kBlockDevice;
  int64_t major = 0;
  int64_t minor = 0;
  int64_t mode = 0;
  int64_t uid = 0;
  int64_t gid = 0;
  const struct {
    absl::string_view name;
    absl::string_view field;
    bool used;
    int64_t most;
    int64_t* value;
  } kNumbers[] = {
      {"mode", Field(block, 100, 8), true, INT64_MAX, &mode},
      {"uid", Field(block, 108, 8), !records_.contains("uid"), UINT32_MAX,
       &uid},
      {"gid", Field(block, 116, 8), !records_.contains("gid"), UINT32_MAX,
       &gid},
      {"major number", Field(block, 329, 8), device, UINT32_MAX, &major},
      {"minor number", Field(block, 337, 8), device, UINT32_MAX, &minor},
  };
  for (const auto& number : kNumbers) {
    const std::optional<int64_t> value =
        number.used ? Number(number.field) : int64_t{0};
    if (!value.has_value() || *value < 0 || *value > number.most) {
      return Bad(absl::StrCat("the ", number.name, " is no number it can be"));
    }
    *number.value = *value;
  }
  if (!records_.contains("mtime")) {
    const std::optional<int64_t> mtime = Number(Field(block, 136, 12));
    if (!mtime.has_value()) {
      return Bad("the mtime is no number");
    }
    state.mtime = *mtime;
  }
  state.mode = static_cast<uint32_t>(mode & 07777);
  state.uid = static_cast<uint32_t>(uid);
  state.gid = static_cast<uint32_t>(gid);
  if (device) {
    state.body = absl::StrCat(major, ":", minor);
  }
  return absl::OkStatus();
}

absl::Status FoldParser::ApplyRecords() {
  ir::PathState& state = member_.state;
  for (const auto& [key, value] : records_) {
    absl::string_view xattr = key;
    if (absl::StartsWith(key, "GNU.sparse.")) {
      return absl::UnimplementedError("sparse members are not supported");
    }
    if (absl::ConsumePrefix(&xattr, "SCHILY.xattr.")) {
      if (value.size() > kLargestXattr) {
        return Bad(
            absl::StrCat("an xattr of more than ", kLargestXattr, " bytes"));
      }
      if (!fold::IsOfTheLayer(xattr)) {
        NoteOddity("has xattrs that are no part of a layer");
      } else if (!value.empty()) {
        state.xattrs[std::string(xattr)] = value;
      }
      continue;
    }
    bool good = true;
    if (value.empty()) {
      continue;  // Takes back what was said before; there is no before.
    }
    if (key == "path") {
      name_ = value;
    } else if (key == "linkpath") {
      link_ = value;
    } else if (key == "size") {
      good = absl::SimpleAtoi(value, &state.size) && state.size <= INT64_MAX;
    } else if (key == "uid") {
      good = absl::SimpleAtoi(value, &state.uid);
    } else if (key == "gid") {
      good = absl::SimpleAtoi(value, &state.gid);
    } else if (key == "mtime") {
      const std::optional<int64_t> mtime = Seconds(value);
      good = mtime.has_value();
      state.mtime = mtime.value_or(0);
    }
    if (!good) {
      return Bad(absl::StrCat("the PAX ", key, " is no number it can be"));
    }
  }
  return state.xattrs.size() <= kMostXattrs
             ? absl::OkStatus()
             : Bad(absl::StrCat("more than ", kMostXattrs, " xattrs"));
}

absl::Status FoldParser::SetName() {
  if (name_.empty() || name_.find('\0') != std::string::npos) {
    return Bad(name_.empty() ? "the name is empty" : "a NUL in the name");
  }
  ir::PathState& state = member_.state;
  if (state.type == EntryType::kFile && name_.back() == '/') {
    state.type = EntryType::kDirectory;  // As tars of 1979 mark a folder.
    NoteOddity("is a file whose name ends in a slash");
  }
  std::vector<absl::string_view> parts =
      absl::StrSplit(name_, '/', absl::SkipEmpty());
  std::erase(parts, ".");
  for (absl::string_view part : parts) {
    const size_t mark = absl::StartsWith(part, ".wh.") ? 4 : 0;
    if (part == "..") {
      return Bad("a name with `..`");
    }
    if (part.size() > kLongestComponent + mark) {
      return Bad(absl::StrCat("a part of the name is longer than ",
                              kLongestComponent, " bytes"));
    }
  }
  member_.path = absl::StrJoin(parts, "/");
  if (member_.path.size() > kLongestPath || parts.size() > kDeepest) {
    return Bad(absl::StrCat("the name is longer than ", kLongestPath,
                            " bytes or ", kDeepest, " folders"));
  }
  const bool folder = state.type == EntryType::kDirectory;
  if (parts.empty() && !folder) {
    return Bad("the root can only be a folder");
  }
  const absl::string_view canonical =
      parts.empty() ? absl::string_view("./") : absl::string_view(member_.path);
  if (absl::string_view(name_).substr(0, canonical.size()) != canonical ||
      name_.size() != canonical.size() + (folder && !parts.empty() ? 1 : 0)) {
    NoteOddity("is not written as the plain relative path");
  }
  return absl::OkStatus();
}

absl::Status FoldParser::SetLink() {
  ir::PathState& state = member_.state;
  member_.hard_link = state.type == EntryType::kHardLink;
  if (!member_.hard_link && state.type != EntryType::kSymlink) {
    return absl::OkStatus();
  }
  if (link_.empty() || link_.find('\0') != std::string::npos ||
      link_.size() > kLongestPath) {
    return Bad("the target of the link is empty, too long or has a NUL");
  }
  (member_.hard_link ? member_.target : state.body) = link_;
  return absl::OkStatus();
}

absl::Status FoldParser::EndContent() {
  if (member_.state.type == EntryType::kFile) {
    member_.state.body = hasher_.Finish().ToString();
  } else {
    padding_ = 0;
  }
  absl::Status taken = sink_(std::move(member_));
  if (!taken.ok()) {
    return taken;
  }
  Expect(padding_ == 0 ? Part::kHeader : Part::kPadding,
         padding_ == 0 ? kBlock : padding_);
  member_ = FoldMember();
  records_.clear();
  name_.clear();
  link_.clear();
  begun_ = long_name_ = long_link_ = false;
  return absl::OkStatus();
}

absl::Status FoldParser::Finish() {
  absl::Status status = failed_;
  const bool between =
      part_ == Part::kEnd || (part_ == Part::kHeader && block_.empty());
  if (status.ok() && (!between || begun_)) {
    status = Where(Bad("the tar ends in the middle of a member"));
  }
  const bool proper = part_ == Part::kEnd && after_end_ == 0;
  Sink sink = std::move(sink_);
  *this = FoldParser(std::move(sink));
  ended_properly_ = proper;
  return status;
}

}  // namespace lamina::backend
