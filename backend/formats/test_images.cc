#include "backend/formats/test_images.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>

#include "backend/formats/chain.h"
#include "backend/tar/tar_writer.h"
#include "base/status.h"

namespace lamina::backend {

TestEntry File(const std::string& path, const std::string& bytes,
               uint32_t mode) {
  return {
      {.path = path, .mode = mode, .mtime = 1600000000, .size = bytes.size()},
      bytes};
}

TestEntry Folder(const std::string& path, uint32_t mode) {
  return {{.path = path,
           .type = ir::EntryType::kDirectory,
           .mode = mode,
           .mtime = 1600000000},
          ""};
}

TestEntry Link(const std::string& path, const std::string& target,
               ir::EntryType type) {
  uint32_t mode = type == ir::EntryType::kSymlink ? 0777 : 0644;
  return {{.path = path,
           .type = type,
           .mode = mode,
           .mtime = 1600000000,
           .link = target},
          ""};
}

TestEntry Whiteout(const std::string& path) {
  return {{.path = path, .type = ir::EntryType::kWhiteout}, ""};
}

std::string Tar(const std::vector<TestEntry>& entries) {
  std::string tar;
  for (const TestEntry& item : entries) {
    absl::StrAppend(&tar, TarHeader(item.entry), item.bytes,
                    TarPadding(item.bytes.size()));
  }
  return tar + TarEnd();
}

Ran Shell(const std::string& command) {
  Ran ran;
  FILE* pipe = popen(absl::StrCat("(", command, ") 2>&1").c_str(), "re");
  CHECK(pipe != nullptr);
  char buffer[4096];
  for (size_t count; (count = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    ran.output.append(buffer, count);
  }
  ran.code = WEXITSTATUS(pclose(pipe));
  return ran;
}

std::string Slurp(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? *bytes : "";
}

std::string Missing(const std::vector<std::string>& programs, bool needs_root) {
  if (needs_root && geteuid() != 0) {
    return "needs root";
  }
  for (const std::string& program : programs) {
    if (Shell(absl::StrCat("command -v ", program)).code != 0) {
      return absl::StrCat("needs ", program);
    }
  }
  return "";
}

void FormatsTest::SetUp() {
  absl::StatusOr<TempDir> folder = TempDir::Create();
  ASSERT_TRUE(folder.ok()) << folder.status();
  folder_ = std::make_unique<TempDir>(*std::move(folder));
  store_ = NewStore("store");
}

std::unique_ptr<Store> FormatsTest::NewStore(const std::string& name) const {
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open(Path(name), Durability::kNone);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

ExportImage FormatsTest::AddImage(
    Store& store, const std::vector<std::vector<TestEntry>>& layers,
    const std::vector<std::string>& names) {
  ir::ImageDocument document = {.created = "2026-01-02T03:04:05Z"};
  document.config.cmd = {"/bin/hello"};
  document.config.env = {"A=1"};
  std::vector<LayerId> ids;
  Digest chain;
  std::string content = Path("content");
  for (const std::vector<TestEntry>& layer : layers) {
    ir::StepDiff diff;
    std::map<std::string, std::string> bytes;
    for (const TestEntry& item : layer) {
      diff.entries.push_back(item.entry);
      bytes[item.entry.path] = item.bytes;
    }
    OpenContent open = [&](const ir::Entry& entry) -> absl::StatusOr<UniqueFd> {
      RETURN_IF_ERROR(ReplaceFile(content, bytes[entry.path], 0600, false));
      return OpenFile(content, O_RDONLY);
    };
    std::string file = JoinPath(store.scratch(), "test-layer");
    absl::StatusOr<LayerBlob> blob = WriteLayer(diff, open, {}, file);
    CHECK(blob.ok());
    CHECK(store.PublishBlob(file, blob->digest).ok());
    chain = ChainId(chain, blob->diff_id);
    absl::StatusOr<Layer> added =
        store.AddLayer(*store.ReserveLayer(), chain, diff, false);
    CHECK(added.ok() && store.SetBlob(added->id, *blob, nullptr).ok());
    ids.push_back(added->id);
    document.diff_ids.push_back(blob->diff_id);
    document.history.push_back(
        {.created = document.created, .created_by = "COPY a /"});
  }
  ExportImage image;
  for (const std::string& name : names) {
    image.names.push_back(*ir::ImageReference::Parse(name));
  }
  image.image =
      *store.AddImage(ir::PrintImageDocument(document), ids, image.names);
  return image;
}

ExportImage FormatsTest::SampleImage(Store& store) {
  std::string long_name =
      absl::StrCat("data/", std::string(120, 'n'), "/", std::string(120, 'm'));
  TestEntry owned = File("data/owned", "owned\n", 04755);
  owned.entry.uid = 1000;
  owned.entry.gid = 3000000;
  owned.entry.xattrs["user.note"] = "x";
  return AddImage(
      store,
      {{Folder("bin"), File("bin/hello", "#!/bin/sh\necho hello\n", 0755),
        Folder("data", 01777), File("data/gone", "gone\n"), Folder("data/old"),
        File("data/old/child", "child\n"), owned},
       {Folder("data", 01777), Whiteout("data/gone"), Whiteout("data/old"),
        File("data/big", std::string(3 << 20, 'b')),
        Link("data/hard", "data/big", ir::EntryType::kHardLink),
        Link("data/soft", "../bin/hello")},
       {Folder("data", 01777), Folder(std::string(DirName(long_name)), 0700),
        File(long_name, "long\n"), File("data/\xc3\xa9", "accent\n", 0600)}},
      {"app:1", "registry.example/team/app:2"});
}

absl::Status FormatsTest::Write(Store& store,
                                const std::vector<ExportImage>& images,
                                const std::string& type,
                                const std::string& dest,
                                Compression compression) {
  ExportOptions options = {.type = type, .dest = dest};
  options.layers.compression = compression;
  return FindFormat(type)->write(images, store, options);
}

absl::StatusOr<std::vector<LoadedImage>> FormatsTest::Load(
    Store& store, const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  return LoadArchive(*MakeFdSource(fd.get()), store);
}

absl::StatusOr<std::vector<LoadedImage>> FormatsTest::LoadBytes(
    Store& store, const std::string& bytes) {
  return LoadArchive(*MakeMemorySource(bytes), store);
}

}  // namespace lamina::backend
