#include "backend/store/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"

namespace lamina::backend {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

double Milliseconds(steady_clock::time_point since) {
  return duration<double, std::milli>(steady_clock::now() - since).count();
}

#define ASSERT_OK(expression)                     \
  do {                                            \
    const absl::Status& status_ok = (expression); \
    ASSERT_TRUE(status_ok.ok()) << status_ok;     \
  } while (false)

// The value, or the end of the test program.
template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    fprintf(stderr, "%s\n", value.status().ToString().c_str());
    abort();
  }
  return *std::move(value);
}

void Must(const absl::Status& status) {
  Must(absl::StatusOr<int>(status.ok() ? absl::StatusOr<int>(0) : status));
}

Digest Name(absl::string_view text) { return Sha256(text); }

ir::ImageReference Ref(absl::string_view text) {
  return Must(ir::ImageReference::Parse(text));
}

// A layer with one file, `content`.
ir::StepDiff OneFile(const std::string& content) {
  return {{{.path = "file",
            .mode = 0644,
            .size = content.size(),
            .digest = Sha256(content)}}};
}

void WriteTree(const std::string& folder, const std::string& content) {
  Must(MakeDirs(folder));
  Must(ReplaceFile(JoinPath(folder, "file"), content, 0644, false));
}

Layer AddTestLayer(Store& store, const std::string& content) {
  LayerId id = Must(store.ReserveLayer());
  WriteTree(JoinPath(store.LayerFolder(id), "fs"), content);
  return Must(store.AddLayer(id, Name(content), OneFile(content), true));
}

// Pretends that the tar of a layer is `tar`.
LayerBlob AddTestBlob(Store& store, LayerId id, const std::string& tar) {
  LayerBlob blob = {.diff_id = Sha256(tar),
                    .digest = Sha256(tar),
                    .size = tar.size(),
                    .tar_size = tar.size()};
  Must(store.AddBlob(tar).status());
  Must(store.SetBlob(id, blob, nullptr));
  return blob;
}

std::string ConfigFor(const std::vector<std::string>& contents) {
  ir::ImageDocument document;
  for (const std::string& content : contents) {
    document.history.push_back({.created_by = content});
    document.diff_ids.push_back(Sha256(content));
  }
  return ir::PrintImageDocument(document);
}

void AddTestStep(Store& store, const std::string& key,
                 std::optional<LayerId> layer) {
  Must(store.AddStep({.key = Name(key), .layer = layer, .name = "step"}));
}

// An image of one layer, with a step record for it.
Image AddTestImage(Store& store, const std::string& content,
                   const std::string& tag) {
  Layer layer = AddTestLayer(store, content);
  AddTestBlob(store, layer.id, content);
  AddTestStep(store, content, layer.id);
  return Must(store.AddImage(ConfigFor({content}), {layer.id}, {Ref(tag)}));
}

size_t CountFiles(const std::string& folder) {
  size_t count = 0;
  std::string command = absl::StrCat("ls -A ", folder, " | wc -l");
  FILE* pipe = popen(command.c_str(), "r");
  EXPECT_EQ(fscanf(pipe, "%zu", &count), 1);
  pclose(pipe);
  return count;
}

class StoreTest : public testing::Test {
 protected:
  std::unique_ptr<Store> Open(Durability durability = Durability::kNone) {
    return Must(Store::Open(root_, durability));
  }
  // Runs `body` in a child process with a store of its own; its exit code.
  template <typename Body>
  int InChild(Body body) {
    pid_t pid = Fork(body);
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  template <typename Body>
  pid_t Fork(Body body) {
    pid_t pid = fork();
    if (pid == 0) {
      _exit(body());
    }
    return pid;
  }
  void RunSql(const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open((root_ + "/lamina.db").c_str(), &handle), 0);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), 0)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  TempDir temp_ = Must(TempDir::Create());
  std::string root_ = JoinPath(temp_.path(), "var/store");
};

// --- opening -----------------------------------------------------------------

TEST_F(StoreTest, AStoreIsPrivateAndOpensTwice) {
  EXPECT_FALSE(Store::Exists(root_));
  auto store = Open(Durability::kFull);
  auto other = Open();
  EXPECT_TRUE(Store::Exists(root_));
  EXPECT_NE(store->scratch(), other->scratch());
  struct stat info;
  ASSERT_EQ(stat(root_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  store.reset();
  other.reset();
  EXPECT_EQ(CountFiles(root_ + "/tmp"), 0u);
}

TEST_F(StoreTest, OpeningAKnownStoreTakesAFewMilliseconds) {
  Open();
  double best = 1e9;
  for (int i = 0; i < 10; ++i) {
    auto start = steady_clock::now();
    auto store = Open(Durability::kFull);
    best = std::min(best, Milliseconds(start));
  }
  printf("open: %.2f ms\n", best);
  EXPECT_LT(best, 20);
}

TEST_F(StoreTest, AFolderThatOthersMayWriteToIsRefused) {
  Open();
  chmod(root_.c_str(), 0777);
  absl::Status status = Store::Open(root_, Durability::kNone).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
}

TEST_F(StoreTest, AFolderOfSomebodyElseIsRefused) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root";
  }
  Open();
  ASSERT_EQ(chown(root_.c_str(), 65534, 65534), 0);
  absl::Status status = Store::Open(root_, Durability::kNone).status();
  EXPECT_TRUE(absl::StrContains(status.message(), "belongs to user 65534"))
      << status;
}

TEST_F(StoreTest, AFolderWithOtherFilesIsNoStore) {
  WriteTree(root_, "precious");
  EXPECT_FALSE(Store::Open(root_, Durability::kNone).ok());
  EXPECT_EQ(CountFiles(root_), 1u);
}

TEST_F(StoreTest, ANewerFormatIsRefused) {
  Open();
  Must(ReplaceFile(root_ + "/format", "lamina store 3\n", 0600, false));
  absl::Status status = Store::Open(root_, Durability::kNone).status();
  EXPECT_TRUE(absl::StrContains(status.message(), "has format 3")) << status;
}

TEST_F(StoreTest, TwoProcessesMayCreateTheStoreAtOnce) {
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    children.push_back(Fork(
        [this] { return Store::Open(root_, Durability::kFull).ok() ? 0 : 1; }));
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}

// --- blobs -------------------------------------------------------------------

TEST_F(StoreTest, ABlobIsReadBack) {
  auto store = Open();
  Digest digest = Must(store->AddBlob("bytes"));
  EXPECT_EQ(digest, Sha256("bytes"));
  EXPECT_TRUE(store->HasBlob(digest));
  EXPECT_FALSE(store->HasBlob(Name("other")));
  EXPECT_EQ(Must(store->ReadBlob(digest, 100)), "bytes");
  EXPECT_FALSE(store->ReadBlob(digest, 4).ok());
  EXPECT_TRUE(absl::IsNotFound(store->OpenBlob(Name("other")).status()));
}

TEST_F(StoreTest, ADamagedBlobGoesToQuarantine) {
  auto store = Open();
  Layer layer = AddTestLayer(*store, "a");
  LayerBlob blob = AddTestBlob(*store, layer.id, "tar");
  Must(ReplaceFile(store->BlobPath(blob.digest), "tAr", 0600, false));
  EXPECT_EQ(Must(store->Verify()).size(), 1u);
  EXPECT_TRUE(absl::IsDataLoss(store->ReadBlob(blob.digest, 100).status()));
  EXPECT_FALSE(store->HasBlob(blob.digest));
  EXPECT_EQ(CountFiles(root_ + "/quarantine"), 1u);
  EXPECT_FALSE(Must(store->FindAnyBlob(blob.diff_id)).has_value());
  EXPECT_TRUE(Must(store->Verify()).empty());
  AddTestBlob(*store, layer.id, "tar");
  EXPECT_EQ(Must(store->ReadBlob(blob.digest, 100)), "tar");
}

// --- layers and steps
// ----------------------------------------------------------

TEST_F(StoreTest, ALayerIsFoundByItsChainAndKeepsItsDiff) {
  auto store = Open();
  Layer layer = AddTestLayer(*store, "a");
  Layer found = *Must(store->FindLayer(layer.chain));
  EXPECT_EQ(found.id, layer.id);
  EXPECT_TRUE(found.unpacked);
  EXPECT_FALSE(found.diff_id.has_value());
  EXPECT_EQ(Must(store->ReadDiff(layer.id)).entries, OneFile("a").entries);
  EXPECT_FALSE(Must(store->FindLayer(Name("b"))).has_value());
  EXPECT_FALSE(store->GetLayer(layer.id + 1).ok());
}

TEST_F(StoreTest, TheTarOfALayerIsFoundByItsDiffId) {
  auto store = Open();
  Layer layer = AddTestLayer(*store, "a");
  ir::StepDiff diff = OneFile("b");
  LayerBlob blob = {.diff_id = Name("tar"),
                    .digest = Must(store->AddBlob("zipped")),
                    .size = 6,
                    .tar_size = 1000,
                    .compression = Compression::kGzip};
  Must(store->SetBlob(layer.id, blob, &diff));
  EXPECT_EQ(Must(store->GetLayer(layer.id)).diff_id, blob.diff_id);
  EXPECT_EQ(Must(store->GetLayer(layer.id)).size, 1000u);
  EXPECT_EQ(Must(store->ReadDiff(layer.id)).entries, diff.entries);
  using enum Compression;
  EXPECT_EQ(Must(store->FindBlob(blob.diff_id, kGzip))->digest, blob.digest);
  EXPECT_FALSE(Must(store->FindBlob(blob.diff_id, kNone)).has_value());
  EXPECT_EQ(Must(store->FindAnyBlob(blob.diff_id))->size, 6u);
  unlink(store->BlobPath(blob.digest).c_str());
  EXPECT_FALSE(Must(store->FindAnyBlob(blob.diff_id)).has_value());
}

TEST_F(StoreTest, ALayerIsUnpackedLater) {
  auto store = Open();
  LayerId id = Must(store->ReserveLayer());
  Must(store->AddLayer(id, Name("a"), OneFile("a"), false));
  for (int i = 0; i < 2; ++i) {  // The second finds it done.
    std::string folder = store->scratch() + "/fs";
    WriteTree(folder, "a");
    Must(store->PublishUnpacked(id, folder));
    EXPECT_FALSE(FileExists(folder));
  }
  EXPECT_TRUE(Must(store->GetLayer(id)).unpacked);
  EXPECT_TRUE(Must(store->Verify()).empty());
}

TEST_F(StoreTest, TwoProcessesPublishTheSameChain) {
  auto store = Open();
  LayerId mine = Must(store->ReserveLayer());
  EXPECT_EQ(InChild([this] {
              auto other = Open(Durability::kFull);
              AddTestLayer(*other, "a");
              return 0;
            }),
            0);
  WriteTree(JoinPath(store->LayerFolder(mine), "fs"), "a");
  Layer layer = Must(store->AddLayer(mine, Name("a"), OneFile("a"), true));
  EXPECT_NE(layer.id, mine);
  EXPECT_FALSE(FileExists(store->LayerFolder(mine)));
  EXPECT_TRUE(FileExists(store->LayerFolder(layer.id) + "/fs/file"));
}

TEST_F(StoreTest, ADeletedLayerIsAMissAndHealsInPlace) {
  auto store = Open();
  Image image = AddTestImage(*store, "a", "a");
  Must(RemoveTree(store->LayerFolder(image.layers[0])));
  EXPECT_FALSE(Must(store->FindLayer(Name("a"))).has_value());
  EXPECT_FALSE(Must(store->FindStep(Name("a"))).has_value());
  EXPECT_EQ(Must(store->Verify()).size(), 1u);
  EXPECT_EQ(AddTestLayer(*store, "a").id, image.layers[0]);
  EXPECT_TRUE(Must(store->FindStep(Name("a"))).has_value());
  EXPECT_TRUE(Must(store->Verify()).empty());
}

TEST_F(StoreTest, StepsAreFoundByKeyAndByName) {
  auto store = Open();
  Layer layer = AddTestLayer(*store, "a");
  StepRecord record = {.key = Name("1"),
                       .layer = layer.id,
                       .seconds = 1.5,
                       .created = 7,
                       .name = "Dockerfile:0:RUN x",
                       .inputs = "base sha256:1\n"};
  Must(store->AddStep(record));
  record.key = Name("2");
  record.layer = std::nullopt;
  Must(store->AddStep(record));
  StepRecord first = *Must(store->FindStep(Name("1")));
  EXPECT_EQ(first.layer, layer.id);
  EXPECT_EQ(first.seconds, 1.5);
  EXPECT_EQ(first.inputs, record.inputs);
  EXPECT_FALSE(Must(store->FindStep(Name("2")))->layer.has_value());
  EXPECT_EQ(Must(store->LatestStep(record.name))->key, Name("2"));
  EXPECT_FALSE(Must(store->LatestStep("other")).has_value());
}

TEST_F(StoreTest, AHundredStepsCostLittle) {
  auto store = Open(Durability::kImage);
  auto start = steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    std::string name = absl::StrCat("step ", i);
    LayerId id = Must(store->ReserveLayer());
    Must(store->AddLayer(id, Name(name), OneFile(name), false));
    AddTestStep(*store, name, id);
  }
  printf("100 steps: %.1f ms\n", Milliseconds(start));
  EXPECT_LT(Milliseconds(start), 500);
  start = steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    std::string name = absl::StrCat("step ", i);
    EXPECT_TRUE(Must(store->FindStep(Name(name))).has_value());
    EXPECT_TRUE(Must(store->FindLayer(Name(name))).has_value());
  }
  printf("200 look-ups: %.2f ms\n", Milliseconds(start));
}

TEST_F(StoreTest, ThreadsShareAStore) {
  auto store = Open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      for (int i = 0; i < 50; ++i) {
        // Half of the chains are everybody's.
        std::string name = absl::StrCat(i % 2 == 0 ? 9 : t, ":", i);
        Layer layer = AddTestLayer(*store, name);
        AddTestStep(*store, name, layer.id);
        EXPECT_TRUE(Must(store->FindStep(Name(name))).has_value());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(CountFiles(store->LayersFolder()), 25u + 4 * 25u);
  EXPECT_TRUE(Must(store->Verify()).empty());
}

TEST_F(StoreTest, ALockIsHeldByOneProcessAndDiesWithIt) {
  auto store = Open();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t child = Fork([&] {
    UniqueFd held = Must(Open()->Lock(Name("key")));
    EXPECT_EQ(write(ready[1], "x", 1), 1);
    pause();
    return 0;
  });
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  Must(store->Lock(Name("other key")));
  auto start = steady_clock::now();
  std::thread killer([child] {
    usleep(50'000);
    kill(child, SIGKILL);
  });
  Must(store->Lock(Name("key")));
  EXPECT_GT(Milliseconds(start), 40);
  killer.join();
  waitpid(child, nullptr, 0);
}

// --- digests of files
// ----------------------------------------------------------

constexpr int64_t kSecond = 1'000'000'000;

TEST_F(StoreTest, AStampMustAgreeInEverything) {
  auto store = Open();
  FileStamp stamp = {1, ~uint64_t{0}, 3, 4 * kSecond, 5 * kSecond};
  Must(store->AddFileDigests({{stamp, Name("a")}}));
  EXPECT_EQ(Must(store->FindFileDigest(stamp)), Name("a"));
  for (int i = 0; i < 5; ++i) {
    FileStamp other = stamp;
    (i == 0   ? other.device
     : i == 1 ? other.inode
              : other.size) += i < 3 ? 1 : 0;
    other.mtime_ns += i == 3 ? 1 : 0;
    other.ctime_ns += i == 4 ? 1 : 0;
    EXPECT_FALSE(Must(store->FindFileDigest(other)).has_value()) << i;
  }
}

TEST_F(StoreTest, AFileThatChangedJustBeforeItWasReadIsNotTrusted) {
  auto store = Open();
  int64_t read = 1000 * kSecond;
  FileStamp late = {1, 1, 3, 0, read - 5'000'000};
  FileStamp settled = {1, 2, 3, 0, read - 100'000'001};
  FileStamp coarse = {1, 3, 3, 0, read - kSecond};
  Must(store->AddFileDigests(
      {{late, Name("a")}, {settled, Name("b")}, {coarse, Name("c")}}, read));
  auto found = Must(store->FindFileDigests({late, settled, coarse}));
  EXPECT_FALSE(found[0].has_value());
  EXPECT_EQ(found[1], Name("b"));
  EXPECT_FALSE(found[2].has_value());
}

TEST_F(StoreTest, FilesOfACheckoutAreKnownInTheSecondRun) {
  std::string file = JoinPath(temp_.path(), "file");
  Must(ReplaceFile(file, "text", 0644, false));
  struct stat info;
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  usleep(30'000);
  FileStamp stamp = {info.st_dev, info.st_ino, 4,
                     info.st_mtim.tv_sec * kSecond + info.st_mtim.tv_nsec,
                     info.st_ctim.tv_sec * kSecond + info.st_ctim.tv_nsec};
  Must(Open()->AddFileDigests({{stamp, Name("text")}}));
  EXPECT_EQ(Must(Open()->FindFileDigest(stamp)), Name("text"));
}

TEST_F(StoreTest, TwentyThousandStampsTakeMilliseconds) {
  std::vector<std::pair<FileStamp, Digest>> digests;
  std::vector<FileStamp> stamps;
  for (uint64_t i = 0; i < 20'000; ++i) {
    FileStamp stamp = {8, (i * 7919) % 20'011 + 1'000'000, i, 1, 2};
    digests.emplace_back(stamp, Name(absl::StrCat(i)));
    stamps.push_back(stamp);
  }
  auto store = Open(Durability::kFull);
  auto start = steady_clock::now();
  Must(store->AddFileDigests(digests));
  printf("add 20,000 stamps: %.1f ms\n", Milliseconds(start));
  store = Open(Durability::kFull);
  start = steady_clock::now();
  auto found = Must(store->FindFileDigests(stamps));
  double time = Milliseconds(start);
  printf("find 20,000 stamps: %.1f ms\n", time);
  EXPECT_LT(time, 500);
  for (size_t i = 0; i < stamps.size(); ++i) {
    ASSERT_EQ(found[i], digests[i].second);
  }
}

// --- images ------------------------------------------------------------------

TEST_F(StoreTest, AnImageIsFoundByEachOfItsNames) {
  auto store = Open(Durability::kFull);
  Image image = AddTestImage(*store, "a", "app:1");
  Must(store->Tag(Ref("app"), image.id));
  Must(store->Tag(Ref("example.org/app:2"), image.id));
  std::string hex = image.id.hex();
  for (const std::string& name :
       {std::string("app:1"), std::string("app"),
        std::string("docker.io/library/app:1"),
        std::string("example.org/app:2"), "sha256:" + hex, hex,
        hex.substr(0, 12), hex.substr(0, 2), "sha256:" + hex.substr(0, 5),
        "app@sha256:" + hex}) {
    absl::StatusOr<Image> found = store->FindImage(name);
    ASSERT_TRUE(found.ok()) << name << ": " << found.status();
    EXPECT_EQ(found->id, image.id);
    EXPECT_EQ(found->layers, image.layers);
    EXPECT_EQ(found->document.diff_ids.size(), 1u);
  }
  EXPECT_FALSE(store->FindImage(hex.substr(0, 1)).ok());
  EXPECT_EQ(Must(store->ListTags()).size(), 3u);
  EXPECT_TRUE(Must(store->Untag(Ref("app:1"))));
  EXPECT_FALSE(Must(store->Untag(Ref("app:1"))));
  EXPECT_FALSE(store->FindImage("app:1").ok());
}

TEST_F(StoreTest, AWrongNameHasAHint) {
  auto store = Open();
  AddTestImage(*store, "a", "debian:12");
  EXPECT_EQ(store->FindImage("debain:12").status(),
            absl::NotFoundError("no image named `debain:12`; did you mean "
                                "`debian:12`?"));
  EXPECT_EQ(store->FindImage("alpine").status(),
            absl::NotFoundError("no image named `alpine`"));
}

TEST_F(StoreTest, APrefixOfTwoImagesIsAnError) {
  auto store = Open();
  std::set<std::string> seen;
  for (int i = 0;; ++i) {
    std::string content = absl::StrCat(i);
    Image image = AddTestImage(*store, content, "x:" + content);
    std::string prefix = image.id.hex().substr(0, 2);
    if (!seen.insert(prefix).second) {
      absl::Status status = store->FindImage(prefix).status();
      EXPECT_TRUE(absl::StrContains(status.message(), "begins the ids of 2"))
          << status;
      return;
    }
  }
}

TEST_F(StoreTest, ATagMovesToTheLastImage) {
  auto store = Open();
  Image first = AddTestImage(*store, "a", "app");
  Image second = AddTestImage(*store, "b", "app");
  EXPECT_EQ(Must(store->FindImage("app")).id, second.id);
  EXPECT_EQ(Must(store->ListImages()).size(), 2u);
  EXPECT_TRUE(absl::IsNotFound(store->Tag(Ref("app"), Name("none"))));
}

TEST_F(StoreTest, AnImageThatIsStoredAgainStaysTheSame) {
  auto store = Open();
  Image first = AddTestImage(*store, "a", "app");
  Image again = AddTestImage(*store, "a", "app:2");
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(Must(store->ListImages()).size(), 1u);
  EXPECT_EQ(Must(store->FindImage("app:2")).layers, first.layers);
}

TEST_F(StoreTest, AnImageNeedsItsLayers) {
  auto store = Open();
  EXPECT_FALSE(store->AddImage(ConfigFor({"a"}), {}, {}).ok());
  EXPECT_FALSE(store->AddImage(ConfigFor({"a"}), {77}, {}).ok());
  EXPECT_TRUE(Must(store->ListImages()).empty());
}

TEST_F(StoreTest, AnImageWithADamagedConfigurationIsListedAndHeals) {
  auto store = Open();
  Image image = AddTestImage(*store, "a", "app");
  Must(ReplaceFile(store->BlobPath(image.id), "{}", 0600, false));
  EXPECT_TRUE(absl::IsDataLoss(store->FindImage("app").status()));
  EXPECT_EQ(Must(store->ListImages()).size(), 1u);
  AddTestImage(*store, "a", "app");
  EXPECT_EQ(Must(store->FindImage("app")).layers, image.layers);
}

// --- freeing
// -------------------------------------------------------------------

TEST_F(StoreTest, RemovingAnImageFreesWhatNobodyNeeds) {
  auto store = Open();
  Layer shared = AddTestLayer(*store, "shared");
  Layer own = AddTestLayer(*store, "own");
  LayerBlob blob = AddTestBlob(*store, own.id, "own");
  Image one = Must(store->AddImage(ConfigFor({"shared", "own"}),
                                   {shared.id, own.id}, {Ref("one")}));
  Image two =
      Must(store->AddImage(ConfigFor({"shared"}), {shared.id}, {Ref("two")}));
  Must(store->RemoveImage(one.id));
  EXPECT_FALSE(store->FindImage("one").ok());
  EXPECT_FALSE(FileExists(store->LayerFolder(own.id)));
  EXPECT_FALSE(store->HasBlob(blob.digest));
  EXPECT_FALSE(store->HasBlob(one.id));
  EXPECT_TRUE(FileExists(store->LayerFolder(shared.id)));
  EXPECT_EQ(Must(store->FindImage("two")).layers, two.layers);
  EXPECT_TRUE(absl::IsNotFound(store->RemoveImage(one.id)));
  EXPECT_TRUE(Must(store->Verify()).empty());
}

TEST_F(StoreTest, TheCacheOutlivesItsImageUntilPrune) {
  auto store = Open();
  Image image = AddTestImage(*store, "a", "a");
  Must(store->RemoveImage(image.id));
  EXPECT_TRUE(Must(store->FindStep(Name("a"))).has_value());
  EXPECT_GT(Must(store->Prune(false)), 0u);
  EXPECT_FALSE(Must(store->FindStep(Name("a"))).has_value());
  EXPECT_EQ(CountFiles(store->LayersFolder()), 0u);
  EXPECT_EQ(CountFiles(root_ + "/blobs/sha256"), 0u);
}

TEST_F(StoreTest, PruneKeepsTheLayersOfImages) {
  auto store = Open();
  Image image = AddTestImage(*store, "kept", "kept");
  AddTestStep(*store, "cached", AddTestLayer(*store, "cached").id);
  Must(store->Prune(false));
  EXPECT_TRUE(Must(store->FindStep(Name("kept"))).has_value());
  EXPECT_FALSE(Must(store->FindStep(Name("cached"))).has_value());
  Must(store->Prune(true));
  EXPECT_FALSE(Must(store->FindStep(Name("kept"))).has_value());
  EXPECT_TRUE(Must(store->GetLayer(image.layers[0])).unpacked);
  EXPECT_EQ(CountFiles(store->LayersFolder()), 1u);
  EXPECT_TRUE(Must(store->Verify()).empty());
}

TEST_F(StoreTest, NothingIsFreedWhileAnotherProcessUsesTheStore) {
  auto builder = Open();
  Layer layer = AddTestLayer(*builder, "a");
  LayerId reserved = Must(builder->ReserveLayer());
  auto pruner = Open();
  EXPECT_EQ(Must(pruner->Prune(true)), 0u);
  EXPECT_TRUE(pruner->sweep_pending());
  EXPECT_TRUE(Must(builder->GetLayer(layer.id)).unpacked);
  EXPECT_TRUE(FileExists(builder->LayerFolder(reserved)));
  builder.reset();
  EXPECT_GT(Must(pruner->Prune(true)), 0u);
  EXPECT_FALSE(pruner->sweep_pending());
  EXPECT_EQ(CountFiles(pruner->LayersFolder()), 0u);
}

TEST_F(StoreTest, AProcessThatEndedItsUseDoesNotKeepAnything) {
  auto runner = Open();
  AddTestLayer(*runner, "a");
  runner->EndUse();
  EXPECT_GT(Must(Open()->Prune(true)), 0u);
}

TEST_F(StoreTest, UsageTellsImagesFromCache) {
  auto store = Open();
  AddTestImage(*store, "kept", "kept");
  AddTestStep(*store, "cached", AddTestLayer(*store, "cached").id);
  std::vector<DiskUsage::Row> rows = Must(store->Usage()).rows;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].count, 1);
  EXPECT_GT(rows[0].size, 0u);
  EXPECT_EQ(rows[0].reclaimable, rows[0].size);
  EXPECT_EQ(rows[1].count, 0);
  EXPECT_EQ(rows[2].count, 2);
  EXPECT_EQ(rows[2].active, 1);
  EXPECT_EQ(rows[2].size, Must(store->Prune(false)));
}

// --- containers
// ----------------------------------------------------------------

TEST_F(StoreTest, AContainerKeepsTheLayersOfARemovedImage) {
  auto store = Open();
  Image image = AddTestImage(*store, "a", "a");
  Container container =
      Must(store->AddContainer({.name = "web", .image = image.id}));
  EXPECT_EQ(container.id.size(), 64u);
  EXPECT_TRUE(FileExists(store->ContainerFolder(container.id) + "/upper"));
  Must(store->RemoveImage(image.id));
  Must(store->Prune(true));
  EXPECT_TRUE(Must(store->GetLayer(image.layers[0])).unpacked);
  Must(store->RemoveContainer(container.id));
  EXPECT_FALSE(FileExists(store->ContainerFolder(container.id)));
  Must(store->Prune(true));
  EXPECT_FALSE(store->GetLayer(image.layers[0]).ok());
}

TEST_F(StoreTest, ContainersAreFoundByNameAndId) {
  auto store = Open();
  Container container = Must(store->AddContainer({.name = "web"}));
  EXPECT_EQ(Must(store->FindContainer("web")).id, container.id);
  EXPECT_EQ(Must(store->FindContainer(container.id.substr(0, 12))).name, "web");
  EXPECT_TRUE(
      absl::IsAlreadyExists(store->AddContainer({.name = "web"}).status()));
  EXPECT_EQ(CountFiles(root_ + "/containers"), 1u);
  absl::Status missing = store->FindContainer("wbe").status();
  EXPECT_TRUE(absl::StrContains(missing.message(), "did you mean `web`"));
  container.state = "exited";
  container.exit_code = 3;
  Must(store->UpdateContainer(container));
  EXPECT_EQ(Must(store->ListContainers()).at(0).exit_code, 3);
}

// --- crashes
// -------------------------------------------------------------------

TEST_F(StoreTest, TheLeavingsOfADeadProcessAreRemoved) {
  EXPECT_EQ(InChild([this] {
              auto store = Open();
              AddTestImage(*store, "kept", "kept");
              LayerId id = Must(store->ReserveLayer());
              std::string work = store->LayerFolder(id) + "/work";
              Must(MakeDirs(work + "/work", 0755));
              chmod((work + "/work").c_str(), 0);
              WriteTree(store->scratch() + "/half", "x");
              _exit(7);  // Without any destructor.
              return 0;
            }),
            7);
  EXPECT_EQ(CountFiles(root_ + "/layers"), 2u);
  auto store = Open();
  EXPECT_EQ(CountFiles(root_ + "/layers"), 1u);
  EXPECT_EQ(CountFiles(root_ + "/tmp"), 2u);  // Our own.
  EXPECT_TRUE(store->FindImage("kept").ok());
  EXPECT_TRUE(Must(store->Verify()).empty());
}

TEST_F(StoreTest, PowerLossTakesWhatWasNotSynced) {
  LayerId durable = 0;
  {
    auto store = Open(Durability::kImage);
    durable = AddTestImage(*store, "durable", "durable").layers[0];
    AddTestStep(*store, "lost", AddTestLayer(*store, "lost").id);
    AddTestBlob(*store, Must(store->FindLayer(Name("lost")))->id, "lost tar");
    Must(store->AddContainer({.name = "web", .state = "running"}));
  }
  RunSql("UPDATE meta SET value = 'earlier' WHERE name = 'boot'");
  auto store = Open(Durability::kImage);
  EXPECT_FALSE(Must(store->FindStep(Name("lost"))).has_value());
  EXPECT_FALSE(Must(store->LatestStep("lost")).has_value());
  EXPECT_FALSE(store->HasBlob(Sha256("lost tar")));
  EXPECT_EQ(CountFiles(store->LayersFolder()), 1u);
  EXPECT_TRUE(Must(store->GetLayer(durable)).unpacked);
  EXPECT_TRUE(store->FindImage("durable").ok());
  EXPECT_EQ(Must(store->FindContainer("web")).state, "exited");
  EXPECT_TRUE(Must(store->Verify()).empty());
}

TEST_F(StoreTest, FlushedStepsSurvivePowerLoss) {
  {
    auto store = Open(Durability::kFull);
    AddTestStep(*store, "a", AddTestLayer(*store, "a").id);
    Must(store->Flush());
  }
  RunSql("UPDATE meta SET value = 'earlier' WHERE name = 'boot'");
  EXPECT_TRUE(Must(Open()->FindStep(Name("a"))).has_value());
}

// What a builder does, over and over.
[[noreturn]] void WorkForever(const std::string& root, unsigned seed) {
  auto store = Must(Store::Open(root, Durability::kFull));
  for (int i = 0;; ++i) {
    seed = seed * 1103515245 + 12345;
    std::string name = absl::StrCat((seed >> 16) % 50);
    Layer layer = AddTestLayer(*store, name);
    if (!layer.diff_id.has_value()) {
      AddTestBlob(*store, layer.id, name);
    }
    AddTestStep(*store, name, layer.id);
    if (i % 3 == 0) {
      Must(store->AddImage(ConfigFor({name}), {layer.id}, {Ref("app")}));
    }
    if (i % 10 == 9) {
      Must(store->Prune(i % 20 == 9));
      for (const Image& image : Must(store->ListImages())) {
        // Another builder may be faster.
        store->RemoveImage(image.id).IgnoreError();
      }
    }
  }
}

TEST_F(StoreTest, AStoreSurvivesKilledBuilders) {
  // Memory, if there is some: how long a disk takes to sync is not the point.
  absl::StatusOr<TempDir> memory = TempDir::Create("/dev/shm");
  std::string root = memory.ok() ? JoinPath(memory->path(), "store") : root_;
  auto start = steady_clock::now();
  unsigned seed = static_cast<unsigned>(time(nullptr));
  printf("seed %u\n", seed);
  int rounds = 0;
  for (; Milliseconds(start) < 3000; ++rounds) {
    pid_t children[2];
    for (pid_t& child : children) {
      seed = seed * 69069 + 1;
      child = Fork([&]() -> int { WorkForever(root, seed); });
    }
    usleep(1000 + seed % 40'000);
    for (pid_t child : children) {
      kill(child, SIGKILL);
      int status = 0;
      waitpid(child, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
          << "round " << rounds;
    }
    auto store = Must(Store::Open(root, Durability::kFull));
    std::vector<std::string> problems = Must(store->Verify());
    ASSERT_TRUE(problems.empty()) << problems[0] << " in round " << rounds;
    ASSERT_EQ(CountFiles(root + "/tmp"), 2u);
  }
  printf("%d rounds\n", rounds);
}

}  // namespace
}  // namespace lamina::backend
