#include "backend/layer_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/compress.h"
#include "backend/pipeline.h"
#include "backend/tar/tar_reader.h"
#include "backend/tar/tar_writer.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

// 16 chunks, their compressed forms and the compressors stay below 64 MiB.
constexpr size_t kMaxChunks = 16;

// Writes the tar of a diff into chunks, file bytes straight from read(2).
class TarStream {
 public:
  TarStream(ir::StepDiff& diff, const OpenContentPart& open)
      : diff_(diff), open_(open) {}

  absl::Status Fill(Chunk& chunk) {
    chunk.size = 0;
    chunk.files.clear();
    chunk.last = false;
    while (chunk.size < kChunkSize && !chunk.last) {
      if (position_ < pending_.size()) {
        TakePending(chunk);
      } else if (in_file_) {
        RETURN_IF_ERROR(ReadFile(chunk));
      } else if (next_ < diff_.entries.size()) {
        RETURN_IF_ERROR(Begin());
      } else if (!ended_) {
        ended_ = true;
        SetPending(TarEnd());
      } else {
        chunk.last = true;
      }
    }
    // The end may have filled the chunk to the brim.
    chunk.last = ended_ && position_ == pending_.size();
    return absl::OkStatus();
  }

 private:
  Entry& current() { return diff_.entries[next_ - 1]; }

  absl::Status Error(const absl::Status& status) {
    return Annotate(status, absl::StrCat("/", EscapeControls(current().path)));
  }

  void SetPending(std::string bytes) {
    pending_ = std::move(bytes);
    position_ = 0;
  }

  void TakePending(Chunk& chunk) {
    size_t take =
        std::min(kChunkSize - chunk.size, pending_.size() - position_);
    memcpy(chunk.bytes.get() + chunk.size, pending_.data() + position_, take);
    chunk.size += take;
    position_ += take;
  }

  absl::Status Begin() {
    Entry& entry = diff_.entries[next_++];
    RETURN_IF_ERROR(Check(entry));
    if (entry.type == EntryType::kFile) {
      RETURN_IF_ERROR(OpenFile(entry));
    }
    SetPending(TarHeader(entry));
    return absl::OkStatus();
  }

  absl::Status OpenFile(Entry& entry) {
    absl::StatusOr<ContentPart> part = open_(entry);
    if (!part.ok()) {
      return Error(part.status());
    }
    file_ = std::move(part->fd);
    whole_ = !part->size.has_value();
    entry.size = part->size.value_or(0);
    if (whole_) {
      struct stat info;
      if (fstat(file_.get(), &info) != 0) {
        return Error(ErrnoError("stat"));
      }
      if (!S_ISREG(info.st_mode)) {
        return Error(absl::FailedPreconditionError("is no regular file now"));
      }
      entry.size = static_cast<uint64_t>(info.st_size);
    }
    left_ = entry.size;
    in_file_ = true;
    return absl::OkStatus();
  }

  absl::Status Check(const Entry& entry) {
    RETURN_IF_ERROR(CheckEntryName(entry.path));
    if (next_ > 1 && !ir::EntryBefore(diff_.entries[next_ - 2], entry)) {
      return Error(absl::InternalError("is not at its place in the layer"));
    }
    for (const auto& [name, value] : entry.xattrs) {
      if (name.find('=') != std::string::npos || value.empty()) {
        return Error(absl::InvalidArgumentError(absl::StrCat(
            "the xattr `", EscapeControls(name), "` cannot be stored")));
      }
    }
    return absl::OkStatus();
  }

  // One read, or the end of the file.
  absl::Status ReadFile(Chunk& chunk) {
    Chunk::FilePart part = {.entry = next_ - 1, .offset = chunk.size};
    if (left_ > 0) {
      size_t want = std::min<uint64_t>(kChunkSize - chunk.size, left_);
      absl::StatusOr<size_t> got =
          ReadFull(file_.get(), chunk.bytes.get() + chunk.size, want);
      if (!got.ok()) {
        return Error(got.status());
      }
      if (*got < want) {
        return Error(absl::AbortedError("shrank while it was read"));
      }
      part.size = *got;
      chunk.size += *got;
      left_ -= *got;
    }
    part.ends = left_ == 0;
    chunk.files.push_back(part);
    return part.ends ? End() : absl::OkStatus();
  }

  absl::Status End() {
    char beyond;
    ssize_t more = 0;
    while (whole_ && (more = read(file_.get(), &beyond, 1)) < 0 &&
           errno == EINTR) {
    }
    if (more != 0) {
      return Error(more > 0 ? absl::AbortedError("grew while it was read")
                            : ErrnoError("read"));
    }
    file_ = UniqueFd();
    in_file_ = false;
    SetPending(TarPadding(current().size));
    return absl::OkStatus();
  }

  ir::StepDiff& diff_;
  const OpenContentPart& open_;
  size_t next_ = 0;      // The entry after the current one.
  std::string pending_;  // Header or padding; [position_, size) is to come.
  size_t position_ = 0;
  UniqueFd file_;
  bool whole_ = true;  // The bytes are all of the file.
  uint64_t left_ = 0;  // Bytes of the file.
  bool in_file_ = false;
  bool ended_ = false;
};

// What comes behind the first stage: hashes, compression, output.
class BlobOutput {
 public:
  static absl::StatusOr<std::unique_ptr<BlobOutput>> Create(
      const LayerWriterOptions& options, const std::string& path) {
    auto output = std::make_unique<BlobOutput>();
    output->blob_.compression = options.compression;
    output->tee_ = options.tee;
    if (options.compression == Compression::kZstd) {
      ASSIGN_OR_RETURN(
          output->zstd_,
          ZstdCompressor::Create(options.compression_level, options.threads));
    }
    if (options.compression == Compression::kGzip) {
      // Finds out now whether this level can be had.
      RETURN_IF_ERROR(Deflater::Create(options.compression_level).status());
      output->level_ = options.compression_level;
    }
    ASSIGN_OR_RETURN(output->file_,
                     OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
    return output;
  }

  void AddStages(std::vector<Stage>& stages) {
    stages.push_back({[this](Chunk& chunk) {
      tar_hash_.Update(chunk.bytes.get(), chunk.size);
      blob_.tar_size += chunk.size;
      return absl::OkStatus();
    }});
    if (tee_ != nullptr) {
      stages.push_back({[this](Chunk& chunk) {
        return tee_({chunk.bytes.get(), chunk.size});
      }});
    }
    if (blob_.compression == Compression::kGzip) {
      stages.push_back(
          {[this](Chunk& chunk) { return Deflate(chunk); }, false});
    }
    if (zstd_ != nullptr) {
      stages.push_back({[this](Chunk& chunk) {
        return zstd_->Compress({chunk.bytes.get(), chunk.size}, chunk.last,
                               chunk.packed);
      }});
    }
    stages.push_back({[this](Chunk& chunk) { return Write(chunk); }});
  }

  absl::StatusOr<LayerBlob> Finish() {
    if (blob_.compression == Compression::kGzip) {
      RETURN_IF_ERROR(Append(GzipTrailer(crc_, crc_size_)));
    }
    blob_.diff_id = tar_hash_.Finish();
    blob_.digest = blob_.compression == Compression::kNone
                       ? blob_.diff_id
                       : blob_hash_.Finish();
    return blob_;
  }

 private:
  absl::Status Deflate(Chunk& chunk) {
    if (chunk.deflater == nullptr) {
      ASSIGN_OR_RETURN(chunk.deflater, Deflater::Create(level_));
    }
    chunk.deflater->Compress({chunk.bytes.get(), chunk.size}, chunk.packed);
    return absl::OkStatus();
  }

  absl::Status Write(Chunk& chunk) {
    switch (blob_.compression) {
      case Compression::kNone:
        blob_.size += chunk.size;
        return WriteAll(file_.get(), {chunk.bytes.get(), chunk.size});
      case Compression::kGzip:
        if (blob_.size == 0) {
          RETURN_IF_ERROR(Append(GzipHeader()));
        }
        crc_ = CombineCrc(crc_, chunk.packed.crc, chunk.size);
        crc_size_ += chunk.size;
        return Append(chunk.packed.bytes());
      case Compression::kZstd:
        return Append(chunk.packed.bytes());
    }
    return absl::OkStatus();
  }

  absl::Status Append(absl::string_view bytes) {
    blob_hash_.Update(bytes);
    blob_.size += bytes.size();
    return WriteAll(file_.get(), bytes);
  }

  LayerBlob blob_;
  std::function<absl::Status(absl::string_view)> tee_;
  int level_ = -1;
  UniqueFd file_;
  Hasher tar_hash_;
  Hasher blob_hash_;  // Idle without compression: the digests are equal then.
  uint32_t crc_ = 0;
  uint64_t crc_size_ = 0;
  std::unique_ptr<ZstdCompressor> zstd_;
};

// Runs `stages` and what makes a blob of their chunks. A failure leaves no
// file behind.
absl::StatusOr<LayerBlob> WriteBlob(std::vector<Stage> stages,
                                    const LayerWriterOptions& options,
                                    int threads, const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<BlobOutput> output,
                   BlobOutput::Create(options, path));
  output->AddStages(stages);
  size_t chunks =
      std::min<size_t>(kMaxChunks, 4 + 2 * static_cast<size_t>(threads));
  absl::Status status = RunPipeline(stages, threads, chunks);
  absl::StatusOr<LayerBlob> blob =
      status.ok() ? output->Finish() : absl::StatusOr<LayerBlob>(status);
  if (!blob.ok()) {
    unlink(path.c_str());
  }
  return blob;
}

// A layer of one chunk is not worth a thread.
int UsefulThreads(const ir::StepDiff& diff, int threads) {
  uint64_t size = 0;
  for (const Entry& entry : diff.entries) {
    size += entry.size + 512;
  }
  return size <= kChunkSize ? 1 : std::max(threads, 1);
}

}  // namespace

absl::StatusOr<LayerBlob> WriteLayer(ir::StepDiff& diff,
                                     const OpenContent& open,
                                     const LayerWriterOptions& options,
                                     const std::string& path) {
  OpenContentPart whole =
      [&open](const Entry& entry) -> absl::StatusOr<ContentPart> {
    ContentPart part;
    ASSIGN_OR_RETURN(part.fd, open(entry));
    return part;
  };
  return WriteLayer(diff, whole, options, path);
}

absl::StatusOr<LayerBlob> WriteLayer(ir::StepDiff& diff,
                                     const OpenContentPart& open,
                                     const LayerWriterOptions& options,
                                     const std::string& path) {
  TarStream tar(diff, open);
  Hasher hasher;
  std::vector<Stage> stages;
  stages.push_back({[&tar](Chunk& chunk) { return tar.Fill(chunk); }});
  stages.push_back({[&diff, &hasher](Chunk& chunk) {
    for (const Chunk::FilePart& part : chunk.files) {
      hasher.Update(chunk.bytes.get() + part.offset, part.size);
      if (part.ends) {
        diff.entries[part.entry].digest = hasher.Finish();
      }
    }
    return absl::OkStatus();
  }});
  return WriteBlob(std::move(stages), options,
                   UsefulThreads(diff, options.threads), path);
}

absl::StatusOr<LayerBlob> RecompressLayer(int fd,
                                          const LayerWriterOptions& options,
                                          const std::string& path) {
  std::string format;
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source,
                   Decompress(MakeFdSource(fd), &format));
  std::vector<Stage> stages;
  stages.push_back({[&source](Chunk& chunk) -> absl::Status {
    chunk.size = 0;
    while (chunk.size < kChunkSize) {
      ASSIGN_OR_RETURN(size_t got, source->Read(chunk.bytes.get() + chunk.size,
                                                kChunkSize - chunk.size));
      chunk.last = got == 0;
      if (chunk.last) {
        break;
      }
      chunk.size += got;
    }
    return absl::OkStatus();
  }});
  return WriteBlob(std::move(stages), options, std::max(options.threads, 1),
                   path);
}

}  // namespace lamina::backend
