#include "backend/formats/member_set.h"

#include <fcntl.h>

#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

constexpr size_t kMostMembers = 100'000;
constexpr size_t kLargestDocument = 4 << 20;
constexpr int kMostLinks = 40;
constexpr size_t kBufferSize = 1 << 20;

// Where a symlink member leads, or an error when that is outside.
absl::StatusOr<std::string> LinkTarget(const ir::Entry& entry) {
  std::string target =
      entry.type == ir::EntryType::kHardLink
          ? CleanPath(entry.link)
          : CleanPath(absl::StrCat(DirName(entry.path), "/", entry.link));
  bool outside = absl::StartsWith(entry.link, "/") || target == ".." ||
                 absl::StartsWith(target, "../");
  if (outside) {
    return absl::InvalidArgumentError(absl::StrCat(
        "member `", EscapeControls(entry.path), "` links out of the archive"));
  }
  return target;
}

// The digest that the name of a member promises: of blobs/sha256/HEX, and of
// HEX.json, as docker and podman name a configuration.
absl::StatusOr<std::optional<Digest>> PromisedDigest(absl::string_view name) {
  if (absl::ConsumePrefix(&name, "blobs/sha256/")) {
    ASSIGN_OR_RETURN(Digest digest, Digest::FromHex(name));
    return digest;
  }
  if (absl::ConsumeSuffix(&name, ".json")) {
    absl::StatusOr<Digest> digest = Digest::FromHex(name);
    return digest.ok() ? std::optional(*digest) : std::nullopt;
  }
  return std::nullopt;
}

absl::Status CheckPromise(absl::string_view name, const Digest& found) {
  absl::StatusOr<std::optional<Digest>> promised = PromisedDigest(name);
  RETURN_IF_ERROR(Annotate(
      promised.status(), absl::StrCat("member `", EscapeControls(name), "`")));
  if (promised->has_value() && **promised != found) {
    return absl::DataLossError(absl::StrCat(
        "member `", name, "` is damaged: its digest is ", found.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MemberSet> MemberSet::Read(ByteSource& source,
                                          const std::string& folder) {
  MemberSet members;
  TarReader tar(source);
  ir::Entry entry;
  while (true) {
    ASSIGN_OR_RETURN(bool more, tar.Next(entry));
    if (!more) {
      break;
    }
    if (entry.type == ir::EntryType::kDirectory) {
      continue;
    }
    if (members.Has(entry.path)) {
      return absl::InvalidArgumentError(
          absl::StrCat("member `", EscapeControls(entry.path),
                       "` stands twice in the archive"));
    }
    size_t count = members.files_.size() + members.links_.size();
    if (count >= kMostMembers) {
      return absl::InvalidArgumentError("the archive has too many members");
    }
    if (entry.type == ir::EntryType::kFile) {
      std::string path = JoinPath(folder, absl::StrCat("member-", count));
      RETURN_IF_ERROR(members.AddFile(tar, entry.path, path));
    } else if (entry.type == ir::EntryType::kSymlink ||
               entry.type == ir::EntryType::kHardLink) {
      ASSIGN_OR_RETURN(members.links_[entry.path], LinkTarget(entry));
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "member `", EscapeControls(entry.path), "` is no file or folder"));
    }
  }
  RETURN_IF_ERROR(tar.Drain());
  return members;
}

absl::StatusOr<MemberSet> MemberSet::OpenLayout(const std::string& folder,
                                                const std::string& scratch) {
  MemberSet members;
  members.scratch_ = scratch;
  ASSIGN_OR_RETURN(members.layout_, OpenFile(folder, O_PATH | O_DIRECTORY));
  return members;
}

absl::StatusOr<const MemberSet::File*> MemberSet::FindInLayout(
    const std::string& name) const {
  absl::StatusOr<UniqueFd> from =
      OpenBeneath(layout_.get(), name, O_RDONLY | O_NONBLOCK);
  if (!from.ok()) {
    return absl::NotFoundError(absl::StrCat("the layout has no file `",
                                            EscapeControls(name), "`"));
  }
  File file = {
      .path = JoinPath(scratch_, absl::StrCat("member-", files_.size()))};
  ASSIGN_OR_RETURN(UniqueFd to,
                   OpenFile(file.path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  Hasher hasher;
  std::string buffer(kBufferSize, '\0');
  while (true) {
    ASSIGN_OR_RETURN(size_t count,
                     ReadFull(from->get(), buffer.data(), buffer.size()));
    absl::string_view bytes(buffer.data(), count);
    hasher.Update(bytes);
    file.size += count;
    RETURN_IF_ERROR(WriteAll(to.get(), bytes));
    if (count < buffer.size()) {
      break;
    }
  }
  file.digest = hasher.Finish();
  RETURN_IF_ERROR(CheckPromise(name, file.digest));
  return &(files_[name] = std::move(file));
}

absl::Status MemberSet::AddFile(TarReader& tar, const std::string& name,
                                const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  File file = {.path = path};
  Hasher hasher;
  std::string buffer(kBufferSize, '\0');
  while (true) {
    ASSIGN_OR_RETURN(size_t count,
                     tar.ReadContent(buffer.data(), buffer.size()));
    if (count == 0) {
      break;
    }
    absl::string_view bytes(buffer.data(), count);
    hasher.Update(bytes);
    file.size += count;
    RETURN_IF_ERROR(WriteAll(fd.get(), bytes));
  }
  file.digest = hasher.Finish();
  RETURN_IF_ERROR(CheckPromise(name, file.digest));
  files_[name] = std::move(file);
  return absl::OkStatus();
}

bool MemberSet::Has(const std::string& name) const {
  return files_.count(name) > 0 || links_.count(name) > 0;
}

absl::StatusOr<const MemberSet::File*> MemberSet::Find(
    const std::string& name) const {
  std::string current = CleanPath(name);
  for (int followed = 0; followed <= kMostLinks; ++followed) {
    if (auto file = files_.find(current); file != files_.end()) {
      return &file->second;
    }
    if (layout_.valid()) {
      return FindInLayout(current);
    }
    auto link = links_.find(current);
    if (link == links_.end()) {
      return absl::NotFoundError(absl::StrCat("the archive has no member `",
                                              EscapeControls(name), "`"));
    }
    current = link->second;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("member `", EscapeControls(name), "` is a loop of links"));
}

absl::StatusOr<std::string> MemberSet::ReadDocument(
    const std::string& name) const {
  ASSIGN_OR_RETURN(const File* file, Find(name));
  if (file->size > kLargestDocument) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", EscapeControls(name), "` is larger than 4 MiB"));
  }
  return ReadFile(file->path, kLargestDocument);
}

}  // namespace lamina::backend
