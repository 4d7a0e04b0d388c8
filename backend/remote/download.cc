#include "backend/remote/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status.h"
#include "base/text.h"
#include "base/url.h"

namespace lamina::backend {
namespace {

constexpr int kOk = 200;
constexpr int kPartialContent = 206;
constexpr int kNotModified = 304;
constexpr int kRangeNotSatisfiable = 416;
// So much progress since the last try makes a broken connection the first one
// again.
constexpr uint64_t kMuchProgress = 1 << 20;

absl::string_view Phrase(int status) {
  switch (status) {
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 408:
      return " Request Timeout";
    case 410:
      return " Gone";
    case 416:
      return " Range Not Satisfiable";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    default:
      return "";
  }
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 ||
         status == 308;
}

bool IsTemporary(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 ||
         status == 503 || status == 504;
}

bool IsStrong(const std::string& etag) {
  return !etag.empty() && !absl::StartsWith(etag, "W/");
}

// Downloads one file; keeps what arrived from try to try.
class Downloader {
 public:
  Downloader(const DownloadRequest& request, Transport& transport,
             const DownloadOptions& options)
      : request_(request), transport_(transport), options_(options) {}

  absl::StatusOr<Downloaded> Run(const std::string& path) {
    ASSIGN_OR_RETURN(start_, Url::Parse(request_.url));
    ASSIGN_OR_RETURN(file_, OpenFile(path, O_RDWR | O_CREAT | O_EXCL, 0600));
    deadline_ = options_.now() + options_.most_seconds;
    RETURN_IF_ERROR(TryUntilDone());
    if (done_.not_modified) {
      return std::move(done_);
    }
    done_.digest = hasher_.Finish();
    done_.size = size_;
    if (resumed_ && request_.checksum.has_value() &&
        done_.digest != *request_.checksum) {
      // Perhaps the parts were of two files.
      RETURN_IF_ERROR(Restart());
      RETURN_IF_ERROR(TryUntilDone());
      done_.digest = hasher_.Finish();
      done_.size = size_;
    }
    if (request_.checksum.has_value() && done_.digest != *request_.checksum) {
      return absl::DataLossError(absl::StrCat(
          start_.Shown(), " has the checksum ", done_.digest.ToString(),
          ", not ", request_.checksum->ToString(),
          "; the file changed, or the checksum was never its own"));
    }
    return std::move(done_);
  }

 private:
  absl::Status TryUntilDone() {
    uint64_t size_before = 0;
    for (int tries = 1;; ++tries) {
      asked_delay_ = 0;
      absl::Status status = FollowRedirects();
      bool again = absl::IsUnavailable(status) ||
                   (absl::IsNotFound(status) && host_unknown_ && tries == 1);
      if (!again) {
        return status;
      }
      if (size_ >= size_before + kMuchProgress) {
        tries = 1;
      }
      size_before = size_;
      if (tries >= options_.tries) {
        return absl::UnavailableError(
            absl::StrCat(status.message(),
                         tries > 1 ? absl::StrCat(", ", tries, " times") : "",
                         "; see whether the server is there, and try again"));
      }
      double most = std::min(options_.first_delay * std::pow(2, tries - 1),
                             options_.most_delay);
      options_.sleep(std::max(asked_delay_, options_.jitter() * most));
    }
  }

  absl::Status FollowRedirects() {
    Url url = start_;
    Nearness nearest = Nearness::kLinkLocal;
    for (int redirects = 0;; ++redirects) {
      RETURN_IF_ERROR(Exchange(url, nearest));
      if (redirect_.empty()) {
        return absl::OkStatus();
      }
      if (redirects == options_.max_redirects) {
        return absl::InvalidArgumentError(absl::StrCat(
            start_.Shown(), " redirects more than ", options_.max_redirects,
            " times; write the URL that it leads to"));
      }
      ASSIGN_OR_RETURN(url, Next(url));
      nearest = std::min(nearest, peer_);
    }
  }

  absl::StatusOr<Url> Next(const Url& url) const {
    std::string shown = EscapeControls(redirect_.substr(0, 200));
    absl::StatusOr<Url> next = url.Resolve(redirect_);
    if (!next.ok() || (next->scheme != "http" && next->scheme != "https")) {
      return absl::InvalidArgumentError(absl::StrCat(
          start_.Shown(), " redirects to `", shown, "`, which is not fetched"));
    }
    if (url.scheme == "https" && next->scheme == "http") {
      return absl::InvalidArgumentError(absl::StrCat(
          start_.Shown(), " redirects from https to ", next->Shown(),
          "; write that URL if you trust the network to it"));
    }
    return next;
  }

  // One exchange; sets `redirect_` if it leads on.
  absl::Status Exchange(const Url& url, Nearness nearest) {
    redirect_.clear();
    takes_body_ = false;
    host_unknown_ = false;
    HttpRequest request = {url.ToString(), Headers(url), nearest};
    HttpReceiver receiver;
    receiver.on_head = [&](const HttpHead& head) {
      peer_ = head.peer;
      return ReadHead(url, head);
    };
    receiver.on_body = [this](absl::string_view bytes) { return Take(bytes); };
    absl::Status status = transport_.Get(request, receiver);
    if (status.ok() || failed_) {
      return std::exchange(failed_, false) ? status : CheckWhole(url);
    }
    host_unknown_ = absl::IsNotFound(status);
    std::string hint = host_unknown_
                           ? "; check its name, and the network of this machine"
                       : absl::IsUnauthenticated(status)
                           ? "; name the certificates to trust in SSL_CERT_FILE"
                           : "";
    return absl::Status(
        status.code(), absl::StrCat(url.Shown(), ": ", status.message(), hint));
  }

  std::vector<std::pair<std::string, std::string>> Headers(
      const Url& url) const {
    std::vector<std::pair<std::string, std::string>> headers;
    if (url.SameOrigin(start_)) {
      headers = request_.headers;
    }
    if (CanResume()) {
      headers.emplace_back("Range", absl::StrCat("bytes=", size_, "-"));
      if (IsStrong(done_.etag)) {
        headers.emplace_back("If-Range", done_.etag);
      }
      return headers;
    }
    if (!request_.etag.empty()) {
      headers.emplace_back("If-None-Match", request_.etag);
    } else if (!request_.last_modified.empty()) {
      headers.emplace_back("If-Modified-Since", request_.last_modified);
    }
    return headers;
  }

  // Without a checksum only a strong ETag says that the file is still the same.
  bool CanResume() const {
    return size_ > 0 && (request_.checksum.has_value() || IsStrong(done_.etag));
  }

  absl::Status Fail(absl::Status status) {
    failed_ = true;
    return status;
  }

  absl::Status ReadHead(const Url& url, const HttpHead& head) {
    if (IsRedirect(head.status) && !head.Header("location").empty()) {
      redirect_ = head.Header("location");
      return absl::OkStatus();
    }
    bool conditional = !CanResume() && !(request_.etag.empty() &&
                                         request_.last_modified.empty());
    if (head.status == kNotModified && conditional) {
      done_.not_modified = true;
      return absl::OkStatus();
    }
    if (head.status == kPartialContent && CanResume()) {
      takes_body_ = Continues(head.Header("content-range"));
      resumed_ = takes_body_;
      return takes_body_ ? absl::OkStatus() : StartOver(url);
    }
    if (head.status == kRangeNotSatisfiable && CanResume()) {
      return StartOver(url);
    }
    if (head.status != kOk) {
      return Fail(Refused(url, head));
    }
    RETURN_IF_ERROR(Restart());
    takes_body_ = true;
    done_.etag = head.Header("etag");
    done_.last_modified = head.Header("last-modified");
    uint64_t length = 0;
    if (absl::SimpleAtoi(head.Header("content-length"), &length) &&
        length > options_.max_bytes) {
      return Fail(TooLarge());
    }
    return absl::OkStatus();
  }

  // "bytes N-LAST/TOTAL" with the N that we asked for.
  bool Continues(absl::string_view range) const {
    uint64_t first = 0;
    return absl::ConsumePrefix(&range, "bytes ") &&
           absl::SimpleAtoi(range.substr(0, range.find('-')), &first) &&
           first == size_;
  }

  // The server cannot go on where we were: the next try begins anew.
  absl::Status StartOver(const Url& url) {
    RETURN_IF_ERROR(Restart());
    return Fail(absl::UnavailableError(absl::StrCat(
        url.Shown(), " answers with other bytes than were asked for")));
  }

  absl::Status Restart() {
    if (size_ > 0 && (ftruncate(file_.get(), 0) != 0 ||
                      lseek(file_.get(), 0, SEEK_SET) != 0)) {
      return Fail(ErrnoError("empty a scratch file"));
    }
    hasher_ = Hasher();
    size_ = 0;
    done_ = Downloaded();
    return absl::OkStatus();
  }

  absl::Status Take(absl::string_view bytes) {
    if (!takes_body_) {
      return absl::OkStatus();  // The text of a redirect.
    }
    if (size_ + bytes.size() > options_.max_bytes) {
      return Fail(TooLarge());
    }
    if (options_.now() > deadline_) {
      return Fail(absl::DeadlineExceededError(
          absl::StrCat(start_.Shown(), " took longer than ",
                       options_.most_seconds / 3600, " hours")));
    }
    absl::Status written = WriteAll(file_.get(), bytes);
    if (!written.ok()) {
      return Fail(Annotate(written, "while saving a download"));
    }
    hasher_.Update(bytes);
    size_ += bytes.size();
    return absl::OkStatus();
  }

  absl::Status CheckWhole(const Url& url) const {
    bool whole = takes_body_ || done_.not_modified || !redirect_.empty();
    return whole ? absl::OkStatus()
                 : absl::UnavailableError(
                       absl::StrCat(url.Shown(), " gave no answer"));
  }

  absl::Status TooLarge() const {
    return absl::ResourceExhaustedError(absl::StrCat(
        start_.Shown(), " is larger than ", HumanSize(options_.max_bytes),
        ", the most that is fetched"));
  }

  // A status that is no success.
  absl::Status Refused(const Url& url, const HttpHead& head) {
    std::string text = absl::StrCat(url.Shown(), " answers ", head.status,
                                    Phrase(head.status));
    if (IsTemporary(head.status)) {
      asked_delay_ = AskedDelay(head.Header("retry-after"));
      return absl::UnavailableError(text);
    }
    if (head.status == 404 || head.status == 410) {
      return absl::NotFoundError(
          absl::StrCat(text, "; check the path of the URL"));
    }
    if (head.status == 401 || head.status == 403) {
      return absl::PermissionDeniedError(absl::StrCat(
          text, "; pass a token with `--secret id=HTTP_AUTH_TOKEN_",
          start_.host, ",src=FILE`"));
    }
    return absl::FailedPreconditionError(
        absl::StrCat(text, "; open the URL with another program to see why"));
  }

  // Retry-After: seconds or a date.
  double AskedDelay(const std::string& text) const {
    int64_t seconds = 0;
    if (!absl::SimpleAtoi(text, &seconds)) {
      std::optional<int64_t> date = ParseHttpDate(text);
      seconds = date.has_value() ? *date - options_.now() : 0;
    }
    return std::clamp(static_cast<double>(seconds), 0.0, options_.most_asked);
  }

  const DownloadRequest& request_;
  Transport& transport_;
  const DownloadOptions& options_;
  Url start_;
  UniqueFd file_;
  Hasher hasher_;
  uint64_t size_ = 0;
  Downloaded done_;
  bool resumed_ = false;
  int64_t deadline_ = 0;
  // Of the exchange that runs.
  std::string redirect_;
  Nearness peer_ = Nearness::kPublic;
  bool takes_body_ = false;
  bool failed_ = false;  // The error is ours, not the transport's.
  bool host_unknown_ = false;
  double asked_delay_ = 0;
};

}  // namespace

absl::StatusOr<Downloaded> Download(const DownloadRequest& request,
                                    const std::string& path,
                                    Transport& transport,
                                    const DownloadOptions& options) {
  return Downloader(request, transport, options).Run(path);
}

std::optional<int64_t> ParseHttpDate(const std::string& text) {
  for (const char* form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %d %H:%M:%S %Y"}) {
    struct tm parts = {};
    const char* end = strptime(text.c_str(), form, &parts);
    if (end != nullptr && *end == '\0') {
      return static_cast<int64_t>(timegm(&parts));
    }
  }
  return std::nullopt;
}

}  // namespace lamina::backend
