#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "backend/formats/test_images.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

class LoadTest : public FormatsTest {
 protected:
  // A docker archive of one layer in the style of old docker versions.
  struct Parts {
    std::string layer = Tar({Folder("etc"), File("etc/name", "x\n")});
    std::string diff_id = Sha256(layer).ToString();
    std::string config = absl::StrCat(
        R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers",)",
        R"("diff_ids":[")", diff_id, R"("]}})");
    std::string layer_path = "1/layer.tar";
    std::string tags = R"(["old:1"])";

    std::string Manifest() const {
      return absl::StrCat(R"([{"Config":"config.json","RepoTags":)", tags,
                          R"(,"Layers":[")", layer_path, R"("]}])");
    }
    std::vector<TestEntry> Members() const {
      return {File("manifest.json", Manifest()), File("config.json", config),
              File("1/layer.tar", layer)};
    }
  };

  // The archive is refused with `words`, and the store is as before.
  void ExpectRefused(const std::string& archive, const std::string& words) {
    auto loaded = LoadBytes(*store_, archive);
    ASSERT_FALSE(loaded.ok()) << "not refused: " << words;
    EXPECT_TRUE(absl::StrContains(loaded.status().message(), words))
        << loaded.status();
    EXPECT_TRUE(store_->ListImages()->empty());
    EXPECT_TRUE(store_->ListTags()->empty());
    EXPECT_EQ(Shell(absl::StrCat("cd ", store_->root(),
                                 "; find blobs layers tmp -type f -size +0"))
                  .output,
              "");
  }
};

TEST_F(LoadTest, OurArchivesComeBackAsTheSameImage) {
  std::unique_ptr<Store> source = NewStore("source");
  ExportImage image = SampleImage(*source);
  for (const char* type : {"docker", "oci"}) {
    ASSERT_TRUE(Write(*source, {image}, type, Path("x.tar")).ok());
    auto loaded = Load(*store_, Path("x.tar"));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_EQ(loaded->size(), 1);
    EXPECT_EQ(loaded->front().id, image.image.id);
    EXPECT_EQ(loaded->front().names.front().Familiar(), "app:1");
    EXPECT_EQ(store_->FindImage("app:1")->id, image.image.id);
  }
  // Both names came with the docker archive; what it says can be written again.
  Image found = *store_->FindImage("registry.example/team/app:2");
  ASSERT_TRUE(
      Write(*store_, {{found, image.names}}, "docker", Path("y.tar")).ok());
  ASSERT_TRUE(Write(*source, {image}, "docker", Path("x.tar")).ok());
  EXPECT_TRUE(Slurp(Path("x.tar")) == Slurp(Path("y.tar")));
  EXPECT_TRUE(store_->Verify()->empty());
}

TEST_F(LoadTest, ArchivesOfSkopeoAndPodmanKeepTheImageId) {
  SKIP_WITHOUT({"skopeo", "podman"});
  std::unique_ptr<Store> source = NewStore("source");
  ExportImage image = SampleImage(*source);
  ASSERT_TRUE(Write(*source, {image}, "docker", Path("x.tar")).ok());
  std::string podman =
      absl::StrCat("podman --root ", Path("podman"), " --runroot ", Path("run"),
                   " --storage-driver vfs ");
  Ran ran = Shell(absl::StrCat(
      "cd ", folder_->path(),
      " && skopeo copy -q docker-archive:x.tar:app:1 docker-archive:a.tar:app:1"
      " && skopeo copy -q oci-archive:x.tar oci-archive:b.tar:app:1 "
      "&& ",
      podman, "load -q -i x.tar && ", podman, "save -q -o c.tar app:1 && ",
      podman, "save -q --format oci-archive -o d.tar app:1 && xz -0 -k a.tar"));
  ASSERT_EQ(ran.code, 0) << ran.output;
  for (const char* name : {"a.tar", "b.tar", "c.tar", "d.tar", "a.tar.xz"}) {
    std::unique_ptr<Store> fresh = NewStore(absl::StrCat("store-", name));
    auto loaded = Load(*fresh, Path(name));
    ASSERT_TRUE(loaded.ok()) << name << ": " << loaded.status();
    EXPECT_EQ(loaded->front().id, image.image.id) << name;
    EXPECT_EQ(fresh->FindImage("app:1")->id, image.image.id) << name;
  }
}

TEST_F(LoadTest, LayersMayBeSymlinksToOtherMembers) {
  Parts parts;
  std::vector<TestEntry> members = {File("manifest.json", parts.Manifest()),
                                    File("config.json", parts.config),
                                    File("real.tar", parts.layer),
                                    Link("1/layer.tar", "../2/layer.tar"),
                                    Link("2/layer.tar", "../real.tar")};
  auto loaded = LoadBytes(*store_, Tar(members));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->front().id, Sha256(parts.config));
  EXPECT_EQ(store_->FindImage("old:1")->document.diff_ids[0].ToString(),
            parts.diff_id);
}

TEST_F(LoadTest, AnImageThatWasLoadedCanBeUnpacked) {
  SKIP_WITHOUT({});
  Parts parts;
  ASSERT_TRUE(LoadBytes(*store_, Tar(parts.Members())).ok());
  Image image = *store_->FindImage("old:1");
  auto folder = EnsureUnpacked(image.layers[0], {}, *store_);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(Slurp(JoinPath(*folder, "etc/name")), "x\n");
}

TEST_F(LoadTest, DamagedArchivesAreRefused) {
  std::unique_ptr<Store> source = NewStore("source");
  ExportImage image = SampleImage(*source);
  ASSERT_TRUE(Write(*source, {image}, "docker", Path("x.tar")).ok());
  std::string good = Slurp(Path("x.tar"));
  ExpectRefused(good.substr(0, good.size() / 2), "");
  // In the middle of the large file of a layer.
  std::string flipped = good;
  flipped[flipped.size() / 2] ^= 1;
  ExpectRefused(flipped, "is damaged");
  ExpectRefused("this is no archive at all", "");
  ExpectRefused("", "");
}

TEST_F(LoadTest, AWrongDiffIdIsRefused) {
  Parts parts;
  parts.layer = Tar({File("other", "bytes")});
  ExpectRefused(Tar(parts.Members()), "invalid diffID for layer 0: expected");
}

TEST_F(LoadTest, AWrongNumberOfLayersIsRefused) {
  Parts parts;
  parts.layer_path = "1/layer.tar\",\"1/layer.tar";
  ExpectRefused(Tar(parts.Members()),
                "layers length mismatch: expected 1, got 2");
}

TEST_F(LoadTest, NamesThatLeaveTheArchiveAreRefused) {
  Parts parts;
  std::vector<TestEntry> members = parts.Members();
  members.push_back(File("../escape", "x"));
  ExpectRefused(Tar(members), "escape");

  for (const char* target :
       {"/etc/passwd", "../../etc/passwd", "../1/layer.tar", "missing"}) {
    members = parts.Members();
    members.back() = Link("1/layer.tar", target);
    ExpectRefused(Tar(members), "");
  }
  parts.layer_path = "../../etc/passwd";
  ExpectRefused(Tar(parts.Members()), "has no member");
}

TEST_F(LoadTest, TwoMembersOfOneNameAreRefused) {
  std::vector<TestEntry> members = Parts().Members();
  members.push_back(File("config.json", "{}"));
  ExpectRefused(Tar(members), "`config.json` stands twice");
}

TEST_F(LoadTest, AnArchiveWithoutATableOfContentsIsRefused) {
  std::vector<TestEntry> members = Parts().Members();
  members.erase(members.begin());
  ExpectRefused(Tar(members), "does not contain a manifest.json");
}

TEST_F(LoadTest, BadDocumentsAreRefused) {
  Parts parts;
  parts.tags = R"(["UPPER:1"])";
  ExpectRefused(Tar(parts.Members()), "invalid tag \"UPPER:1\"");
  parts.tags = R"(["a\u001b[31m:1"])";
  ExpectRefused(Tar(parts.Members()), "invalid tag \"a\\x1b[31m:1\"");

  parts = Parts();
  parts.config = absl::StrReplaceAll(parts.config, {{"linux", "windows"}});
  ExpectRefused(Tar(parts.Members()), "cannot load windows image on linux");
  parts = Parts();
  parts.config = absl::StrReplaceAll(parts.config, {{"layers", "other"}});
  ExpectRefused(Tar(parts.Members()), "rootfs.type");

  std::vector<TestEntry> members = Parts().Members();
  members[0] = File("manifest.json", "null");
  ExpectRefused(Tar(members), "manifest cannot be null");
  members[0] = File("manifest.json", std::string((4 << 20) + 1, ' '));
  ExpectRefused(Tar(members), "larger than 4 MiB");
}

TEST_F(LoadTest, AnOciDocumentThatIsTwoThingsIsRefused) {
  Parts parts;
  std::string config_digest = Sha256(parts.config).ToString();
  std::string manifest = absl::StrCat(
      R"({"schemaVersion":2,"manifests":[],"config":{"mediaType":)",
      R"("application/vnd.oci.image.config.v1+json","digest":")", config_digest,
      R"(","size":)", parts.config.size(), R"(},"layers":[]})");
  auto archive = [&](int64_t size) {
    std::string index = absl::StrCat(
        R"({"schemaVersion":2,"manifests":[{"mediaType":)",
        R"("application/vnd.oci.image.manifest.v1+json","digest":")",
        Sha256(manifest).ToString(), R"(","size":)", size, "}]}");
    return Tar(
        {File("index.json", index),
         File("blobs/sha256/" + Sha256(manifest).hex(), manifest),
         File("blobs/sha256/" + Sha256(parts.config).hex(), parts.config)});
  };
  ExpectRefused(archive(manifest.size()), "is not of media type");
  ExpectRefused(archive(1), "its descriptor says otherwise");
  ExpectRefused(archive(-1), "its descriptor says otherwise");
  ExpectRefused(Tar({File("index.json", "{}"),
                     File("blobs/sha256/" + std::string(64, '0'), "x")}),
                "is damaged");
  ExpectRefused(
      Tar({File("index.json", "{}"), File("blobs/sha256/SHORT", "x")}),
      "blobs/sha256/SHORT");
}

// --- import ----------------------------------------------------------------

TEST_F(LoadTest, AnImportDoesNotDependOnTheOrderOfTheTar) {
  SKIP_WITHOUT({});
  std::vector<std::string> ids;
  for (const std::vector<TestEntry>& entries :
       std::vector<std::vector<TestEntry>>{
           {Folder("a"), File("a/x", "1", 04755), File("b", "2"),
            Link("c", "b", ir::EntryType::kHardLink), Link("d", "b")},
           {Link("d", "b"), File("c", "2"),
            Link("b", "c", ir::EntryType::kHardLink), Folder("a"),
            File("a/x", "1", 04755)}}) {
    std::unique_ptr<ByteSource> tar = MakeMemorySource(Tar(entries));
    ir::ImageConfig config;
    config.cmd = {"/a/x"};
    auto image =
        ImportRootFs(*tar, *store_, config, "Imported from -",
                     {*ir::ImageReference::Parse("base:1")}, 1700000000);
    ASSERT_TRUE(image.ok()) << image.status();
    ids.push_back(image->id.ToString());
    EXPECT_EQ(image->document.history.size(), 1);
    EXPECT_EQ(image->document.created, "2023-11-14T22:13:20Z");
  }
  EXPECT_EQ(ids[0], ids[1]);
  Image image = *store_->FindImage("base:1");
  EXPECT_TRUE(store_->GetLayer(image.layers[0])->unpacked);
  EXPECT_EQ(image.document.config.cmd, std::vector<std::string>{"/a/x"});
}

TEST_F(LoadTest, AnImportThatLeavesItsRootIsRefused) {
  SKIP_WITHOUT({});
  std::unique_ptr<ByteSource> tar =
      MakeMemorySource(Tar({File("a", "1"), File("../escape", "x")}));
  EXPECT_FALSE(ImportRootFs(*tar, *store_, {}, "", {}, 0).ok());
  EXPECT_TRUE(store_->ListImages()->empty());
}

}  // namespace
}  // namespace lamina::backend
