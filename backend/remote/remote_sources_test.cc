#include "backend/remote/remote_sources.h"

#include "absl/strings/str_cat.h"
#include "backend/remote/fake_transport.h"
#include "gtest/gtest.h"

namespace lamina::backend {
namespace {

class RemoteSourcesTest : public testing::Test {
 protected:
  RemoteSourcesTest()
      : store_(
            *Store::Open(JoinPath(dir_.path(), "store"), Durability::kNone)) {
    options_.downloads.sleep = [](double) {};
    options_.downloads.jitter = [] { return 0.0; };
    options_.downloads.now = [] { return 0; };
    options_.downloads.tries = 1;
  }

  RemoteSources Sources() {
    return RemoteSources(store_.get(), transport_, options_);
  }
  // What a graph with this one source gives; errors as "code: message".
  std::string Resolve(const ir::Op& op, RemoteStates* states = nullptr) {
    ir::BuildGraph graph;
    ir::NodeId id = ir::AddNode(graph, {.op = op});
    Diagnostics diagnostics;
    RemoteSources sources = Sources();
    RemoteStates found = *sources.Resolve(graph, diagnostics);
    if (!diagnostics.has_errors()) {
      RemoteState& state = found.at(ir::PrintOp(op));
      if (!state.identity.has_value()) {
        return state.unknown;
      }
      if (states != nullptr) {
        EXPECT_TRUE(sources.Fetch(graph, {id}, found, diagnostics).ok());
        *states = diagnostics.has_errors() ? RemoteStates() : found;
      }
    }
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      return absl::StrCat(diagnostic.code, ": ", diagnostic.message);
    }
    return found.at(ir::PrintOp(op)).identity->hex();
  }
  std::string Fetch(const ir::Op& op) {
    RemoteStates states;
    std::string error = Resolve(op, &states);
    return states.empty()
               ? error
               : *store_->ReadBlob(states.begin()->second.content, 1 << 20);
  }

  TempDir dir_ = *TempDir::Create();
  std::unique_ptr<Store> store_;
  FakeTransport transport_;
  RemoteOptions options_;
};

ir::RemoteFile File(const std::string& url, const std::string& text = "") {
  return {url, "f", text.empty() ? "" : Sha256(text).ToString()};
}

TEST_F(RemoteSourcesTest, ContentAloneNamesAFile) {
  transport_.Add("https://h/a",
                 {.headers = {{"last-modified", "x"}}, .body = "same"});
  transport_.Add("https://h/b", {.body = "same"});
  transport_.Add("https://h/c", {.body = "other"});
  std::string a = Resolve(File("https://h/a"));
  EXPECT_EQ(a.size(), 64u) << a;
  EXPECT_EQ(Resolve(File("https://h/b")), a);
  EXPECT_NE(Resolve(File("https://h/c")), a);
  EXPECT_EQ(Resolve(File("https://h/none", "same")), a);
}

TEST_F(RemoteSourcesTest, AnUnchangedFileIsAskedForByItsTag) {
  transport_.Add("https://h/f", {.headers = {{"etag", "\"1\""}}, .body = "1"});
  transport_.Add("https://h/f", {.status = 304});
  transport_.Add("https://h/f", {.headers = {{"etag", "\"2\""}}, .body = "2"});
  EXPECT_EQ(Fetch(File("https://h/f")), "1");
  EXPECT_EQ(Fetch(File("https://h/f")), "1");
  EXPECT_EQ(Sent(transport_.requests[1], "If-None-Match"), "\"1\"");
  EXPECT_EQ(Fetch(File("https://h/f")), "2");
  options_.refresh = true;
  EXPECT_EQ(Fetch(File("https://h/f")), "2");
  EXPECT_EQ(Sent(transport_.requests[3], "If-None-Match"), "");
}

TEST_F(RemoteSourcesTest, AChecksumNeedsNoNetworkOnceTheFileIsHere) {
  transport_.Add(
      "https://h/f",
      {.headers = {{"last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"}},
       .body = "bytes"});
  EXPECT_EQ(Resolve(File("https://h/f", "bytes")).size(), 64u);
  EXPECT_TRUE(transport_.requests.empty());
  EXPECT_EQ(Fetch(File("https://h/f", "bytes")), "bytes");
  RemoteStates states;
  Resolve(File("https://h/f", "bytes"), &states);
  EXPECT_EQ(states.begin()->second.mtime, 784111777);
  EXPECT_EQ(transport_.requests.size(), 1u);
  EXPECT_EQ(Fetch(File("https://h/f", "others")).substr(0, 18),
            "checksum-mismatch:");
}

TEST_F(RemoteSourcesTest, DamagedBytesAreFetchedAgain) {
  transport_.Add("https://h/f", {.body = "bytes"});
  ir::RemoteFile file = File("https://h/f", "bytes");
  EXPECT_EQ(Fetch(file), "bytes");
  std::string path = store_->BlobPath(Sha256("bytes"));
  ASSERT_TRUE(ReplaceFile(path, "bytez", 0600, false).ok());
  EXPECT_EQ(Fetch(file), "bytes");
  EXPECT_EQ(transport_.requests.size(), 2u);
}

TEST_F(RemoteSourcesTest, WithoutNetworkTheStoreRemembers) {
  transport_.Add("https://h/f", {.body = "bytes"});
  std::string identity = Resolve(File("https://h/f"));
  options_.network = false;
  EXPECT_EQ(Resolve(File("https://h/f")), identity);
  EXPECT_EQ(Fetch(File("https://h/f")), "bytes");
  EXPECT_EQ(Resolve(File("https://h/g?token=1")),
            "`https://h/g` was never fetched: its content is unknown");
  EXPECT_EQ(Resolve(ir::GitTree{.url = "https://h/x.git", .ref = "main"}),
            "`https://h/x.git#main` was never fetched: its files are unknown");
  EXPECT_EQ(Fetch(File("https://h/g", "others")),
            "fetch-failed: https://h/g is not in the store, and nothing is "
            "fetched with --offline");
  EXPECT_EQ(transport_.requests.size(), 1u);
  ASSERT_TRUE(store_->Prune(false).ok());
  EXPECT_EQ(Resolve(File("https://h/f")),
            "`https://h/f` was never fetched: its content is unknown");
}

TEST_F(RemoteSourcesTest, TokensGoToTheirHostOnly) {
  options_.secret = [](const std::string& id) -> absl::StatusOr<std::string> {
    if (id == "HTTP_AUTH_TOKEN_h") {
      return "t0ken\n";
    }
    return absl::NotFoundError(id);
  };
  transport_.Add("https://h/f", {.body = "1"});
  transport_.Add("https://o/f", {.body = "1"});
  Resolve(File("https://h/f"));
  Resolve(File("https://o/f"));
  EXPECT_EQ(Sent(transport_.requests[0], "Authorization"), "Bearer t0ken");
  EXPECT_EQ(Sent(transport_.requests[1], "Authorization"), "");
}

TEST_F(RemoteSourcesTest, AWholeCommitNamesItsTree) {
  std::string commit(40, 'a');
  ir::GitTree tree = {.url = "https://h/x.git", .ref = commit};
  std::string identity = Resolve(tree);
  EXPECT_EQ(identity.size(), 64u);
  EXPECT_EQ(Resolve(ir::GitTree{.url = "git://o/y", .checksum = commit}),
            identity);
  tree.subdir = "sub";
  EXPECT_NE(Resolve(tree), identity);
  tree.checksum = "bbbbbbb";
  EXPECT_EQ(Resolve(tree),
            absl::StrCat("checksum-mismatch: `", commit,
                         "` of https://h/x.git is commit ", commit,
                         ", not bbbbbbb; the ref was moved, or the checksum "
                         "was never its own"));
}

TEST_F(RemoteSourcesTest, FailuresAreReportedOneByOne) {
  transport_.Add("https://h/f", {.status = 404});
  EXPECT_EQ(Resolve(File("https://h/f")),
            "fetch-failed: https://h/f answers 404 Not Found; check the path "
            "of the URL");
  transport_.Add("https://h/r",
                 {.status = 302, .headers = {{"location", "ftp://x/"}}});
  EXPECT_EQ(Resolve(File("https://h/r")),
            "bad-url: https://h/r redirects to `ftp://x/`, which is not "
            "fetched");
}

}  // namespace
}  // namespace lamina::backend
