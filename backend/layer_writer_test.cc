#include "backend/layer_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backend/compress.h"
#include "backend/tar/tar_reader.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

using ir::Entry;
using ir::EntryType;

// A folder with files, and their step diff.
class Layer {
 public:
  Layer() : folder_(*TempDir::Create()) {}

  void Add(const std::string& path, const std::string& bytes) {
    diff.entries.push_back({.path = path, .mode = 0644});
    files_[path] = bytes;
    EXPECT_TRUE(ReplaceFile(File(path), bytes, 0644, false).ok());
  }
  void AddFolder(const std::string& path) {
    diff.entries.push_back(
        {.path = path, .type = EntryType::kDirectory, .mode = 0755});
    EXPECT_TRUE(MakeDirs(File(path)).ok());
  }
  std::string File(const std::string& path) const {
    return folder_.path() + "/in." + path;
  }
  std::string Out() const { return folder_.path() + "/out"; }

  absl::StatusOr<LayerBlob> Write(const LayerWriterOptions& options) {
    unlink(Out().c_str());
    return WriteLayer(
        diff,
        [this](const Entry& entry) {
          return OpenFile(File(entry.path), O_RDONLY);
        },
        options, Out());
  }
  std::string WriteOk(const LayerWriterOptions& options) {
    absl::StatusOr<LayerBlob> blob = Write(options);
    EXPECT_TRUE(blob.ok()) << blob.status();
    if (!blob.ok()) {
      return "";
    }
    std::string bytes = *ReadFile(Out());
    EXPECT_EQ(blob->size, bytes.size());
    EXPECT_EQ(blob->digest, Sha256(bytes));
    return bytes;
  }
  void CheckTar(const std::string& tar) const {
    std::unique_ptr<ByteSource> source = MakeMemorySource(tar);
    TarReader reader(*source);
    Entry entry;
    for (const Entry& expected : diff.entries) {
      ASSERT_TRUE(*reader.Next(entry));
      Entry plain = expected;
      plain.digest = Digest{};
      EXPECT_TRUE(entry == plain) << expected.path;
      if (entry.type == EntryType::kFile) {
        const std::string& bytes = files_.at(entry.path);
        EXPECT_TRUE(*reader.ReadAllContent(SIZE_MAX) == bytes);
        EXPECT_EQ(expected.digest, Sha256(bytes)) << entry.path;
      }
    }
    EXPECT_FALSE(*reader.Next(entry));
  }

  ir::StepDiff diff;

 private:
  TempDir folder_;
  std::map<std::string, std::string> files_;
};

// Half text that repeats, half noise.
std::string SomeBytes(std::mt19937_64& random, size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    if (random() % 2 == 0) {
      absl::StrAppend(&bytes, "line ", random() % 1000, " of a text\n");
    } else {
      uint64_t noise = random();
      bytes.append(reinterpret_cast<const char*>(&noise), sizeof noise);
    }
  }
  bytes.resize(size);
  return bytes;
}

void AddFiles(Layer& layer) {
  std::mt19937_64 random(3);
  layer.AddFolder("a");
  int number = 100;
  for (size_t size : {0, 1, 511, 512, 513, 70'000, (1 << 20) - 512, 1 << 20,
                      (1 << 20) + 1, 5'000'000}) {
    layer.Add(absl::StrCat("f", number++), SomeBytes(random, size));
  }
  std::string noise;
  for (int i = 0; i < 400'000; ++i) {
    uint64_t word = random();
    noise.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  layer.Add("noise", noise);
}

std::string Plain(const std::string& blob) {
  std::string format;
  std::unique_ptr<ByteSource> source =
      *Decompress(MakeMemorySource(blob), &format);
  std::string out;
  std::string buffer(1 << 20, '\0');
  while (size_t got = source->Read(buffer.data(), buffer.size()).value()) {
    out.append(buffer, 0, got);
  }
  return out;
}

TEST(WriteLayer, WritesTheTarAndItsDigests) {
  Layer layer;
  AddFiles(layer);
  std::string tar = layer.WriteOk({});
  layer.CheckTar(tar);
  absl::StatusOr<LayerBlob> blob = layer.Write({});
  EXPECT_EQ(blob->diff_id, blob->digest);
  EXPECT_EQ(blob->tar_size, tar.size());
}

TEST(WriteLayer, GivesTheSameBytesOnAnyNumberOfThreads) {
  Layer layer;
  AddFiles(layer);
  std::string tar = layer.WriteOk({.threads = 1});
  struct Case {
    Compression compression;
    int level;
    const char* check;
  };
  for (Case c : {Case{Compression::kNone, -1, "tar -tf"},
                 Case{Compression::kGzip, -1, "gzip -t <"},
                 Case{Compression::kGzip, 3, "gzip -t <"},
                 Case{Compression::kGzip, 6, "gzip -t <"},
                 Case{Compression::kZstd, -1, "zstd -qt <"}}) {
    std::string first;
    for (int threads : {1, 2, 4, 9}) {
      std::string bytes = layer.WriteOk({.compression = c.compression,
                                         .compression_level = c.level,
                                         .threads = threads});
      EXPECT_TRUE(first.empty() || bytes == first)
          << CompressionName(c.compression) << c.level << threads;
      first = bytes;
    }
    EXPECT_TRUE(Plain(first) == tar) << CompressionName(c.compression);
    EXPECT_TRUE(c.level == -1 || first.size() < tar.size());
    std::string command =
        absl::StrCat(c.check, " ", layer.Out(), " >/dev/null");
    EXPECT_EQ(system(command.c_str()), 0) << command;
    EXPECT_EQ(layer.Write({.compression = c.compression})->diff_id,
              Sha256(tar));
  }
}

TEST(WriteLayer, WritesAnEmptyLayerAsTwoZeroBlocks) {
  Layer layer;
  EXPECT_EQ(layer.WriteOk({}), std::string(1024, '\0'));
  EXPECT_EQ(layer.Write({})->diff_id.ToString(),
            "sha256:"
            "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
  EXPECT_EQ(Plain(layer.WriteOk({.compression = Compression::kGzip})),
            std::string(1024, '\0'));
}

TEST(WriteLayer, HasAGzipHeaderThatTellsNothing) {
  Layer layer;
  std::string bytes = layer.WriteOk({.compression = Compression::kGzip});
  EXPECT_EQ(bytes.substr(0, 10),
            std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10));
}

TEST(WriteLayer, FillsChunksToTheBrim) {
  // Header, bytes and end make exactly two chunks.
  Layer layer;
  layer.Add("f", std::string((2 << 20) - 512 - 1024, 'x'));
  EXPECT_EQ(layer.WriteOk({}).size(), size_t{2} << 20);
  std::string gzip = layer.WriteOk({.compression = Compression::kGzip});
  EXPECT_EQ(Plain(gzip).size(), size_t{2} << 20);
}

TEST(WriteLayer, NamesAFileThatChangesWhileItIsRead) {
  Layer layer;
  layer.Add("f", std::string(3'000'000, 'x'));
  // A file of /proc has the size 0, and then bytes.
  absl::StatusOr<LayerBlob> grown = WriteLayer(
      layer.diff,
      [](const Entry&) { return OpenFile("/proc/self/status", O_RDONLY); }, {},
      layer.Out());
  ASSERT_FALSE(grown.ok());
  EXPECT_EQ(grown.status().message(), "/f: grew while it was read");
  EXPECT_FALSE(FileExists(layer.Out()));
  // Read from the middle, the file has fewer bytes than its size.
  absl::StatusOr<LayerBlob> shrunk = WriteLayer(
      layer.diff,
      [&layer](const Entry&) {
        absl::StatusOr<UniqueFd> fd = OpenFile(layer.File("f"), O_RDONLY);
        lseek(fd->get(), 1, SEEK_SET);
        return fd;
      },
      {}, layer.Out());
  ASSERT_FALSE(shrunk.ok());
  EXPECT_EQ(shrunk.status().message(), "/f: shrank while it was read");
}

TEST(WriteLayer, RefusesWhatNoLayerMayContain) {
  Layer layer;
  layer.Add(".wh.x", "");
  EXPECT_TRUE(absl::StrContains(layer.Write({}).status().message(), "`.wh.x`"));
  layer.diff.entries = {{.path = "b"}, {.path = "a"}};
  EXPECT_FALSE(layer.Write({}).ok());
  layer.diff.entries = {
      {.path = "a", .type = EntryType::kFifo, .xattrs = {{"user.a=b", "1"}}}};
  EXPECT_TRUE(
      absl::StrContains(layer.Write({}).status().message(), "`user.a=b`"));
  layer.diff.entries = {};
  for (int level : {0, 10}) {
    EXPECT_FALSE(layer
                     .Write({.compression = Compression::kGzip,
                             .compression_level = level})
                     .ok());
  }
  EXPECT_FALSE(
      layer.Write({.compression = Compression::kZstd, .compression_level = 99})
          .ok());
}

TEST(RecompressLayer, KeepsTheTarAndGivesTheBytesOfADirectWrite) {
  Layer layer;
  AddFiles(layer);
  std::string tar = layer.WriteOk({});
  std::string gzip = layer.WriteOk({.compression = Compression::kGzip});
  std::string again = layer.Out() + ".2";
  for (Compression to :
       {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    absl::StatusOr<UniqueFd> from = OpenFile(layer.Out(), O_RDONLY);
    unlink(again.c_str());
    absl::StatusOr<LayerBlob> blob =
        RecompressLayer(from->get(), {.compression = to}, again);
    ASSERT_TRUE(blob.ok()) << blob.status();
    std::string bytes = *ReadFile(again);
    EXPECT_EQ(blob->diff_id, Sha256(tar));
    EXPECT_EQ(blob->tar_size, tar.size());
    EXPECT_EQ(blob->digest, Sha256(bytes));
    EXPECT_TRUE(Plain(bytes) == tar) << CompressionName(to);
    EXPECT_TRUE(to != Compression::kGzip || bytes == gzip);
  }
}

TEST(RecompressLayer, LeavesNoFileWhenTheBlobIsDamaged) {
  Layer layer;
  AddFiles(layer);
  std::string gzip = layer.WriteOk({.compression = Compression::kGzip});
  gzip.resize(gzip.size() / 2);
  ASSERT_TRUE(ReplaceFile(layer.Out(), gzip, 0644, false).ok());
  absl::StatusOr<UniqueFd> from = OpenFile(layer.Out(), O_RDONLY);
  std::string again = layer.Out() + ".2";
  EXPECT_FALSE(RecompressLayer(from->get(), {}, again).ok());
  EXPECT_FALSE(FileExists(again));
}

TEST(LayerMediaType, IsTheOciOne) {
  EXPECT_EQ(LayerMediaType(Compression::kGzip),
            "application/vnd.oci.image.layer.v1.tar+gzip");
  EXPECT_EQ(LayerMediaType(Compression::kNone),
            "application/vnd.oci.image.layer.v1.tar");
  EXPECT_EQ(CompressionName(Compression::kZstd), "zstd");
}

}  // namespace
}  // namespace lamina::backend
