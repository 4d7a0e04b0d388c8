#include "backend/remote/download.h"

#include "absl/strings/str_cat.h"
#include "backend/remote/fake_transport.h"
#include "base/files.h"
#include "gtest/gtest.h"

namespace lamina::backend {
namespace {

class DownloadTest : public testing::Test {
 protected:
  DownloadTest() {
    options_.sleep = [this](double seconds) { waits_.push_back(seconds); };
    options_.jitter = [] { return 1.0; };
    options_.now = [] { return 1000; };
  }

  // The body, or the error.
  std::string Get(const DownloadRequest& request) {
    std::string path = JoinPath(dir_.path(), absl::StrCat(++files_));
    absl::StatusOr<Downloaded> done =
        Download(request, path, transport_, options_);
    if (!done.ok()) {
      return absl::StrCat("error: ", done.status().message());
    }
    last_ = *done;
    if (done->not_modified) {
      return "not modified";
    }
    std::string body = *ReadFile(path);
    EXPECT_EQ(done->digest, Sha256(body));
    EXPECT_EQ(done->size, body.size());
    return body;
  }
  std::string Get(const std::string& url) {
    return Get(DownloadRequest{.url = url});
  }

  FakeTransport transport_;
  DownloadOptions options_;
  std::vector<double> waits_;
  Downloaded last_;

 private:
  TempDir dir_ = *TempDir::Create();
  int files_ = 0;
};

TEST_F(DownloadTest, ABodyIsSavedWithWhatNamesIt) {
  transport_.Add("https://h/f",
                 {.headers = {{"etag", "\"1\""}, {"last-modified", "then"}},
                  .body = "bytes"});
  EXPECT_EQ(Get("https://h/f"), "bytes");
  EXPECT_EQ(last_.etag, "\"1\"");
  EXPECT_EQ(last_.last_modified, "then");
  EXPECT_TRUE(waits_.empty());
}

TEST_F(DownloadTest, AnUnchangedFileIsNotSentAgain) {
  transport_.Add("https://h/f", {.status = 304});
  DownloadRequest request = {
      .url = "https://h/f", .etag = "\"1\"", .last_modified = "then"};
  EXPECT_EQ(Get(request), "not modified");
  EXPECT_EQ(Sent(transport_.requests[0], "If-None-Match"), "\"1\"");
  EXPECT_EQ(Sent(transport_.requests[0], "If-Modified-Since"), "");
  request.etag = "";
  EXPECT_EQ(Get(request), "not modified");
  EXPECT_EQ(Sent(transport_.requests[1], "If-Modified-Since"), "then");
  // Nobody asked for it.
  EXPECT_EQ(Get("https://h/f"),
            "error: https://h/f answers 304; open the URL with another "
            "program to see why");
}

TEST_F(DownloadTest, RedirectsAreFollowedAndLimited) {
  transport_.Add(
      "https://h/a",
      {.status = 302, .headers = {{"location", "b?x"}}, .body = "moved"});
  transport_.Add("https://h/b?x",
                 {.status = 307, .headers = {{"location", "https://o/c"}}});
  transport_.Add("https://o/c", {.body = "there"});
  DownloadRequest request = {.url = "https://h/a",
                             .headers = {{"Authorization", "Bearer t"}}};
  EXPECT_EQ(Get(request), "there");
  EXPECT_EQ(Sent(transport_.requests[1], "Authorization"), "Bearer t");
  EXPECT_EQ(Sent(transport_.requests[2], "Authorization"), "");

  transport_.Add("https://h/loop",
                 {.status = 307, .headers = {{"location", "/loop"}}});
  EXPECT_EQ(Get("https://h/loop"),
            "error: https://h/loop redirects more than 10 times; write the URL "
            "that it leads to");
}

TEST_F(DownloadTest, RedirectsDoNotLeadElsewhere) {
  const std::pair<const char*, const char*> kCases[] = {
      {"http://h/x",
       "error: https://h/f redirects from https to http://h/x; write that URL "
       "if you trust the network to it"},
      {"file:///etc/passwd",
       "error: https://h/f redirects to `file:///etc/passwd`, which is not "
       "fetched"},
      {"ftp://h/x",
       "error: https://h/f redirects to `ftp://h/x`, which is not fetched"},
      {"https://a b/",
       "error: https://h/f redirects to `https://a b/`, which is not fetched"},
  };
  for (const auto& [location, message] : kCases) {
    transport_ = FakeTransport();
    transport_.Add("https://h/f",
                   {.status = 301, .headers = {{"location", location}}});
    EXPECT_EQ(Get("https://h/f"), message);
  }
}

TEST_F(DownloadTest, ARedirectNeverLeadsNearerToUs) {
  transport_.Add("http://h/f", {.status = 302,
                                .headers = {{"location", "http://m/"}},
                                .peer = Nearness::kPrivate});
  transport_.Add("http://m/", {.body = "secret", .peer = Nearness::kLinkLocal});
  EXPECT_EQ(Get("http://h/f"), "error: http://m/: too near");
  // The user may name it.
  EXPECT_EQ(Get("http://m/"), "secret");
}

TEST_F(DownloadTest, TemporaryFailuresAreTriedAgain) {
  transport_.Add("https://h/f", {.status = 503});
  transport_.Add("https://h/f",
                 {.status = 0, .error = absl::UnavailableError("refused")});
  transport_.Add("https://h/f",
                 {.status = 429, .headers = {{"retry-after", "7"}}});
  transport_.Add("https://h/f",
                 {.status = 429, .headers = {{"retry-after", "9999"}}});
  transport_.Add("https://h/f", {.body = "bytes"});
  EXPECT_EQ(Get("https://h/f"), "bytes");
  EXPECT_EQ(waits_, (std::vector<double>{1, 2, 7, 60}));
}

TEST_F(DownloadTest, LastingFailuresSayWhatToDo) {
  options_.tries = 3;
  transport_.Add("https://u:p@h/f?token=x", {.status = 503});
  EXPECT_EQ(Get("https://u:p@h/f?token=x"),
            "error: https://h/f answers 503 Service Unavailable, 3 times; see "
            "whether the server is there, and try again");
  EXPECT_EQ(waits_.size(), 2u);
  transport_.Add("https://h/n", {.status = 404});
  EXPECT_EQ(Get("https://h/n"),
            "error: https://h/n answers 404 Not Found; check the path of the "
            "URL");
  transport_.Add("https://h/s", {.status = 403});
  EXPECT_EQ(Get("https://h/s"),
            "error: https://h/s answers 403 Forbidden; pass a token with "
            "`--secret id=HTTP_AUTH_TOKEN_h,src=FILE`");
  transport_.Add("https://h/t",
                 {.status = 0, .error = absl::UnauthenticatedError("bad")});
  EXPECT_EQ(Get("https://h/t"),
            "error: https://h/t: bad; name the certificates to trust in "
            "SSL_CERT_FILE");
  EXPECT_EQ(Get("https://none/"),
            "error: https://none/: there is no host `h`; check its name, and "
            "the network of this machine");
}

TEST_F(DownloadTest, AnotherChecksumIsAnErrorWithBoth) {
  transport_.Add("https://h/f", {.body = "bytes"});
  DownloadRequest request = {.url = "https://h/f", .checksum = Sha256("bytes")};
  EXPECT_EQ(Get(request), "bytes");
  request.checksum = Sha256("other");
  EXPECT_EQ(Get(request),
            absl::StrCat("error: https://h/f has the checksum ",
                         Sha256("bytes").ToString(), ", not ",
                         Sha256("other").ToString(),
                         "; the file changed, or the checksum was never its "
                         "own"));
}

TEST_F(DownloadTest, TheSizeIsLimited) {
  options_.max_bytes = 5;
  transport_.Add("https://h/5", {.body = "12345"});
  EXPECT_EQ(Get("https://h/5"), "12345");
  transport_.Add("https://h/6", {.body = "123456"});
  EXPECT_EQ(Get("https://h/6"),
            "error: https://h/6 is larger than 5B, the most that is fetched");
  transport_.Add("https://h/l",
                 {.headers = {{"content-length", "6"}}, .body = ""});
  EXPECT_EQ(Get("https://h/l"),
            "error: https://h/l is larger than 5B, the most that is fetched");
}

TEST_F(DownloadTest, ACutDownloadGoesOnWhereItWas) {
  absl::Status cut = absl::UnavailableError("reset");
  transport_.Add(
      "https://h/f",
      {.headers = {{"etag", "\"1\""}}, .body = "one ", .error = cut});
  transport_.Add("https://h/f", {.status = 206,
                                 .headers = {{"content-range", "bytes 4-6/7"}},
                                 .body = "two"});
  EXPECT_EQ(Get("https://h/f"), "one two");
  EXPECT_EQ(Sent(transport_.requests[1], "Range"), "bytes=4-");
  EXPECT_EQ(Sent(transport_.requests[1], "If-Range"), "\"1\"");
}

TEST_F(DownloadTest, WithoutAStrongETagACutDownloadBeginsAnew) {
  absl::Status cut = absl::UnavailableError("reset");
  transport_.Add(
      "https://h/f",
      {.headers = {{"etag", "W/\"1\""}}, .body = "one ", .error = cut});
  transport_.Add("https://h/f", {.body = "all"});
  EXPECT_EQ(Get("https://h/f"), "all");
  EXPECT_EQ(Sent(transport_.requests[1], "Range"), "");
}

TEST_F(DownloadTest, WrongRangesAreNotBelieved) {
  absl::Status cut = absl::UnavailableError("reset");
  transport_.Add(
      "https://h/f",
      {.headers = {{"etag", "\"1\""}}, .body = "one ", .error = cut});
  transport_.Add("https://h/f", {.status = 206,
                                 .headers = {{"content-range", "bytes 2-6/7"}},
                                 .body = "e two"});
  transport_.Add("https://h/f", {.body = "one two"});
  EXPECT_EQ(Get("https://h/f"), "one two");
  // With a checksum, parts of two files are noticed, and fetched once more.
  transport_ = FakeTransport();
  transport_.Add("https://h/f", {.body = "old ", .error = cut});
  transport_.Add("https://h/f", {.status = 206,
                                 .headers = {{"content-range", "bytes 4-6/7"}},
                                 .body = "new"});
  transport_.Add("https://h/f", {.body = "new new"});
  EXPECT_EQ(Get({.url = "https://h/f", .checksum = Sha256("new new")}),
            "new new");
}

TEST(HttpDate, HasThreeForms) {
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(ParseHttpDate(text), 784111777) << text;
  }
  EXPECT_EQ(ParseHttpDate("yesterday"), std::nullopt);
  EXPECT_EQ(ParseHttpDate(""), std::nullopt);
}

}  // namespace
}  // namespace lamina::backend
