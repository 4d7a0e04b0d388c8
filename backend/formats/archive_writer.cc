#include "backend/formats/archive_writer.h"

#include <fcntl.h>

#include "backend/formats/output_file.h"
#include "backend/tar/tar_writer.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::backend {

std::string BlobMember(const Digest& digest) {
  return absl::StrCat("blobs/sha256/", digest.hex());
}

void ArchiveWriter::AddFolder(const std::string& name) {
  Member member;
  member.entry = {
      .path = name, .type = ir::EntryType::kDirectory, .mode = 0755};
  members_.push_back(std::move(member));
}

void ArchiveWriter::AddFile(const std::string& name, std::string bytes) {
  Member member;
  member.entry = {.path = name, .mode = 0644, .size = bytes.size()};
  member.bytes = std::move(bytes);
  members_.push_back(std::move(member));
}

void ArchiveWriter::AddBlob(const Digest& digest, uint64_t size) {
  if (!blobs_.insert(digest).second) {
    return;
  }
  Member member;
  member.entry = {.path = BlobMember(digest), .mode = 0644, .size = size};
  member.blob = digest;
  members_.push_back(std::move(member));
}

void ArchiveWriter::AddBlobBytes(const Digest& digest, std::string bytes) {
  if (blobs_.insert(digest).second) {
    AddFile(BlobMember(digest), std::move(bytes));
  }
}

Digest ArchiveWriter::Recipe() const {
  Hasher hasher;
  for (const Member& member : members_) {
    hasher.UpdateField(TarHeader(member.entry));
    hasher.UpdateField(member.bytes);
    hasher.Update(member.blob.bytes.data(), member.blob.bytes.size());
  }
  return hasher.Finish();
}

absl::Status ArchiveWriter::WriteTar(const std::string& dest) const {
  return WriteOutput(dest, Recipe(), store_,
                     [this](int fd) { return WriteMembers(fd); });
}

absl::Status ArchiveWriter::WriteMembers(int fd) const {
  for (const Member& member : members_) {
    RETURN_IF_ERROR(
        WriteAll(fd, absl::StrCat(TarHeader(member.entry), member.bytes)));
    if (!member.blob.empty()) {
      ASSIGN_OR_RETURN(UniqueFd blob, store_.OpenBlob(member.blob));
      RETURN_IF_ERROR(Annotate(CopyBytes(blob.get(), fd, member.entry.size),
                               absl::StrCat("blob ", member.blob.ToString())));
    }
    RETURN_IF_ERROR(WriteAll(fd, TarPadding(member.entry.size)));
  }
  return WriteAll(fd, TarEnd());
}

absl::Status ArchiveWriter::WriteFolder(const std::string& dest) const {
  RETURN_IF_ERROR(MakeDirs(dest));
  for (const Member& member : members_) {
    if (member.entry.type == ir::EntryType::kDirectory) {
      RETURN_IF_ERROR(MakeDirs(JoinPath(dest, member.entry.path)));
    }
  }
  // Backwards: index.json stands near the front and must not name blobs that
  // are not there yet.
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    if (member->entry.type == ir::EntryType::kFile) {
      RETURN_IF_ERROR(Annotate(WriteMember(*member, dest),
                               absl::StrCat("while writing ", dest)));
    }
  }
  return absl::OkStatus();
}

absl::Status ArchiveWriter::WriteMember(const Member& member,
                                        const std::string& dest) const {
  std::string path = JoinPath(dest, member.entry.path);
  if (member.blob.empty()) {
    return ReplaceFile(path, member.bytes, 0644, /*durable=*/false);
  }
  ASSIGN_OR_RETURN(UniqueFd blob, store_.OpenBlob(member.blob));
  return WriteOutput(path, member.blob, store_, [&](int fd) {
    return CopyBytes(blob.get(), fd, member.entry.size);
  });
}

}  // namespace lamina::backend
