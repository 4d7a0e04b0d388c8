#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "backend/formats/test_images.h"
#include "base/json.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

constexpr char kCompare[] = "../shared/tools/compare_images.py";

std::vector<std::string> MemberNames(const std::string& tar_bytes) {
  std::unique_ptr<ByteSource> source = MakeMemorySource(tar_bytes);
  TarReader reader(*source);
  std::vector<std::string> names;
  for (ir::Entry entry; *reader.Next(entry);) {
    names.push_back(entry.path);
  }
  return names;
}

std::string MemberText(const std::string& tar_bytes, const std::string& name) {
  std::unique_ptr<ByteSource> source = MakeMemorySource(tar_bytes);
  TarReader reader(*source);
  for (ir::Entry entry; *reader.Next(entry);) {
    if (entry.path == name) {
      return *reader.ReadAllContent(1 << 20);
    }
  }
  return "";
}

TEST_F(FormatsTest, TheDockerArchiveHasItsDocumentsFirstAndEachBlobOnce) {
  ExportImage image = AddImage(*store_, {{File("a", "1")}, {File("a", "2")}},
                               {"app:1", "registry.example/team/app:2"});
  ASSERT_TRUE(Write(*store_, {image, image}, "docker", Path("x.tar")).ok());
  std::string tar = Slurp(Path("x.tar"));
  std::string manifest =
      absl::StrCat("blobs/sha256/", ParseJson(MemberText(tar, "index.json"))
                                        .value()["manifests"]
                                        .array()[0]["digest"]
                                        .string()
                                        .substr(7));
  std::vector<Digest> diff_ids = image.image.document.diff_ids;
  std::string config = absl::StrCat("blobs/sha256/", image.image.id.hex());
  std::string bottom = absl::StrCat("blobs/sha256/", diff_ids[0].hex());
  std::string top = absl::StrCat("blobs/sha256/", diff_ids[1].hex());
  EXPECT_EQ(MemberNames(tar),
            (std::vector<std::string>{
                "oci-layout", "index.json", "manifest.json", "repositories",
                "blobs", "blobs/sha256", manifest, config, bottom, top}));
  std::string row = absl::StrCat(
      R"({"Config":")", config, R"(","Layers":[")", bottom, R"(",")", top,
      R"("],"RepoTags":["app:1","registry.example/team/app:2"]})");
  EXPECT_EQ(MemberText(tar, "manifest.json"),
            absl::StrCat("[", row, ",", row, "]"));
  EXPECT_EQ(MemberText(tar, "repositories"),
            absl::StrCat(R"({"app":{"1":")", diff_ids[1].hex(),
                         R"("},"registry.example/team/app":{"2":")",
                         diff_ids[1].hex(), R"("}})"));
  EXPECT_EQ(PrintJson(ParseJson(MemberText(tar, "index.json"))
                          .value()["manifests"]
                          .array()[0]["annotations"]),
            R"({"io.containerd.image.name":"docker.io/library/app:1",)"
            R"("org.opencontainers.image.created":"2026-01-02T03:04:05Z",)"
            R"("org.opencontainers.image.ref.name":"1"})");
  EXPECT_EQ(MemberText(tar, "oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
}

TEST_F(FormatsTest, AnUntaggedImageHasNoNamesAnywhere) {
  ExportImage image = AddImage(*store_, {{File("a", "1")}}, {});
  ASSERT_TRUE(Write(*store_, {image}, "docker", Path("x.tar")).ok());
  std::string tar = Slurp(Path("x.tar"));
  EXPECT_TRUE(
      absl::StrContains(MemberText(tar, "manifest.json"), "\"RepoTags\":null"));
  EXPECT_FALSE(absl::StrContains(tar, "annotations"));
  EXPECT_EQ(MemberText(tar, "repositories"), "");
}

TEST_F(FormatsTest, TwoStoresWriteTheSameBytes) {
  std::unique_ptr<Store> other = NewStore("other");
  for (const char* type : {"docker", "oci", "tar"}) {
    ASSERT_TRUE(
        Write(*store_, {SampleImage(*store_)}, type, Path("a.tar")).ok());
    ASSERT_TRUE(Write(*other, {SampleImage(*other)}, type, Path("b.tar")).ok());
    EXPECT_TRUE(Slurp(Path("a.tar")) == Slurp(Path("b.tar"))) << type;
  }
}

TEST_F(FormatsTest, AnOutputThatIsThereAlreadyIsNotWrittenAgain) {
  ExportImage image = SampleImage(*store_);
  auto inode = [&] {
    struct stat status = {};
    EXPECT_EQ(stat(Path("x.tar").c_str(), &status), 0);
    return status.st_ino;
  };
  ASSERT_TRUE(Write(*store_, {image}, "docker", Path("x.tar")).ok());
  ino_t first = inode();
  std::string bytes = Slurp(Path("x.tar"));
  ASSERT_TRUE(Write(*store_, {image}, "docker", Path("x.tar")).ok());
  EXPECT_EQ(inode(), first);

  // Changed behind our back, but with the old size and time.
  ASSERT_EQ(Shell(absl::StrCat("cd ", folder_->path(),
                               "; touch -r x.tar t; printf X | dd of=x.tar "
                               "bs=1 seek=900 conv=notrunc; touch -r t x.tar"))
                .code,
            0);
  ASSERT_TRUE(Write(*store_, {image}, "docker", Path("x.tar")).ok());
  EXPECT_TRUE(Slurp(Path("x.tar")) == bytes);

  // Another output for the same path.
  ASSERT_TRUE(Write(*store_, {image}, "oci", Path("x.tar")).ok());
  EXPECT_FALSE(Slurp(Path("x.tar")) == bytes);
}

TEST_F(FormatsTest, AFailedOutputLeavesNothing) {
  ExportImage image = SampleImage(*store_);
  ASSERT_EQ(
      Shell(absl::StrCat("truncate -s 600 ",
                         store_->BlobPath(image.image.document.diff_ids[1])))
          .code,
      0);
  ASSERT_EQ(mkdir(Path("out").c_str(), 0755), 0);
  EXPECT_FALSE(Write(*store_, {image}, "docker", Path("out/x.tar")).ok());
  EXPECT_EQ(Shell("ls -A " + Path("out")).output, "");
  EXPECT_FALSE(Write(*store_, {image}, "docker", Path("out")).ok());
}

TEST_F(FormatsTest, CompressedLayersAndArchivesLoadAsTheSameImage) {
  ExportImage image = SampleImage(*store_);
  for (Compression compression : {Compression::kGzip, Compression::kZstd}) {
    ASSERT_TRUE(
        Write(*store_, {image}, "docker", Path("c.tar"), compression).ok());
    std::unique_ptr<Store> other =
        NewStore(std::string(CompressionName(compression)));
    auto loaded = Load(*other, Path("c.tar"));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->front().id, image.image.id);
  }
  ASSERT_TRUE(Write(*store_, {image}, "docker", Path("c.tar.gz")).ok());
  EXPECT_EQ(Slurp(Path("c.tar.gz")).substr(0, 2), "\x1f\x8b");
  auto loaded = Load(*NewStore("whole"), Path("c.tar.gz"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->front().id, image.image.id);
}

// --- peers -----------------------------------------------------------------

TEST_F(FormatsTest, SkopeoReadsWhatWeWrite) {
  SKIP_WITHOUT({"skopeo"}, /*needs_root=*/false);
  ExportImage image = SampleImage(*store_);
  std::string config = Slurp(store_->BlobPath(image.image.id));
  ASSERT_TRUE(Write(*store_, {image}, "docker", Path("docker.tar")).ok());
  ASSERT_TRUE(Write(*store_, {image}, "oci", Path("oci.tar")).ok());
  ASSERT_TRUE(
      Write(*store_, {image}, "oci", Path("z.tar"), Compression::kGzip).ok());
  for (const char* name : {"docker-archive:docker.tar", "oci-archive:oci.tar",
                           "oci-archive:docker.tar", "oci-archive:z.tar"}) {
    Ran ran = Shell(absl::StrCat(
        "cd ", folder_->path(), " && skopeo inspect --raw --config ", name,
        " && skopeo copy -q ", name, " dir:copy-", name));
    EXPECT_EQ(ran.code, 0) << ran.output;
    EXPECT_EQ(ran.output, config) << name;
  }
}

TEST_F(FormatsTest, PodmanLoadsTheImageUnderItsNamesAndId) {
  SKIP_WITHOUT({"podman"});
  ExportImage image = SampleImage(*store_);
  std::string podman =
      absl::StrCat("podman --root ", Path("podman"), " --runroot ", Path("run"),
                   " --storage-driver vfs ");
  for (const char* type : {"docker", "oci"}) {
    ASSERT_TRUE(Write(*store_, {image}, type, Path("x.tar")).ok());
    Ran ran = Shell(absl::StrCat(podman, "load -q -i ", Path("x.tar"), " && ",
                                 podman, "image inspect -f '{{.Id}}' app:1"));
    EXPECT_EQ(ran.code, 0) << ran.output;
    EXPECT_TRUE(absl::EndsWith(ran.output, image.image.id.hex() + "\n"))
        << ran.output;
    Shell(podman + "rmi --all --force");
  }
}

TEST_F(FormatsTest, UmociUnpacksTheSameTreeAsTheLocalFormat) {
  SKIP_WITHOUT({"skopeo", "umoci"});
  ExportImage image = SampleImage(*store_);
  ASSERT_TRUE(Write(*store_, {image}, "oci", Path("x.tar")).ok());
  ASSERT_TRUE(Write(*store_, {image}, "local", Path("local")).ok());
  std::string list =
      "find . -mindepth 1 -printf '%P %y %m %U %G %n %l ' -type f -exec "
      "sha256sum {} + , -type f -printf '%T@' , -printf '\\n' | sort";
  Ran ran = Shell(absl::StrCat(
      "cd ", folder_->path(),
      " && skopeo copy -q oci-archive:x.tar oci:layout:t && umoci unpack "
      "--image layout:t bundle >umoci.log 2>&1 && (cd bundle/rootfs; ",
      list, ") > umoci.txt && (cd local; ", list,
      ") > local.txt && diff umoci.txt local.txt && wc -l < local.txt"));
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_GT(atoi(ran.output.c_str()), 8) << ran.output;
}

TEST_F(FormatsTest, TheRootTarUnpacksToTheLocalTree) {
  SKIP_WITHOUT({"tar"});
  ExportImage image = SampleImage(*store_);
  ASSERT_TRUE(Write(*store_, {image}, "tar", Path("x.tar")).ok());
  ASSERT_TRUE(Write(*store_, {image}, "local", Path("local")).ok());
  std::string list =
      "find . -mindepth 1 -printf '%P %y %m %U %G %n %l %s %T@\\n' | sort";
  Ran ran = Shell(absl::StrCat(
      "cd ", folder_->path(), " && mkdir t && tar -C t -xpf x.tar && (cd t; ",
      list, ") > t.txt && (cd local; ", list, ") | diff t.txt -"));
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_TRUE(FileExists(Path("local/data/hard")));
  EXPECT_FALSE(FileExists(Path("local/data/gone")));
  EXPECT_FALSE(FileExists(Path("local/data/old")));
}

TEST_F(FormatsTest, BothArchivesAndThePeersCopyHoldTheSameImage) {
  SKIP_WITHOUT({"skopeo", "python3"}, /*needs_root=*/false);
  if (!FileExists(kCompare)) {
    GTEST_SKIP() << kCompare << " is not there";
  }
  ExportImage image = SampleImage(*store_);
  ASSERT_TRUE(Write(*store_, {image}, "docker", Path("a.tar")).ok());
  ASSERT_TRUE(
      Write(*store_, {image}, "oci", Path("b.tar"), Compression::kGzip).ok());
  std::string compare =
      absl::StrCat("python3 ", kCompare, " --mtime --history --layers ");
  Ran ran =
      Shell(absl::StrCat("skopeo copy -q docker-archive:", Path("a.tar"),
                         ":app:1 docker-archive:", Path("c.tar"), ":app:1 && ",
                         compare, Path("a.tar"), " ", Path("b.tar"), " && ",
                         compare, Path("a.tar"), " ", Path("c.tar"), " && ",
                         compare, "--oci ", Path("a.tar"), " ", Path("b.tar")));
  EXPECT_EQ(ran.code, 0) << ran.output;
}

}  // namespace
}  // namespace lamina::backend
