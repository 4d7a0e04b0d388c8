// The one file that sees libcurl. It is loaded at first use: a network stack
// takes longer to start than most commands take to run.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "backend/remote/transport.h"
#include "backend/tar/symbol_finder.h"
#include "base/status.h"
#include "base/url.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace lamina::backend {
namespace {

constexpr char kLibrary[] = "libcurl.so.4";
constexpr long kConnectSeconds = 30;  // NOLINT: curl takes long.
// A slower transfer counts as a broken connection.
constexpr long kSlowBytes = 1000;  // NOLINT: a second.
constexpr long kSlowSeconds = 60;  // NOLINT

struct Curl {
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) init;
  decltype(&curl_easy_cleanup) cleanup;
  decltype(&::curl_easy_setopt) setopt;
  decltype(&curl_easy_perform) perform;
  decltype(&curl_easy_strerror) strerror;
  decltype(&curl_slist_append) append;
  decltype(&curl_slist_free_all) free_all;
};

const Curl* LoadCurl() {
  static const Curl* loaded = []() -> const Curl* {
    static Curl table;
    SymbolFinder finder(kLibrary);
    finder.Find(table.global_init, "curl_global_init");
    finder.Find(table.init, "curl_easy_init");
    finder.Find(table.cleanup, "curl_easy_cleanup");
    finder.Find(table.setopt, "curl_easy_setopt");
    finder.Find(table.perform, "curl_easy_perform");
    finder.Find(table.strerror, "curl_easy_strerror");
    finder.Find(table.append, "curl_slist_append");
    finder.Find(table.free_all, "curl_slist_free_all");
    bool good =
        finder.complete() && table.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return good ? &table : nullptr;
  }();
  return loaded;
}

Nearness NearnessOf4(uint32_t address) {
  if (address >> 24 == 127 || address == 0) {
    return Nearness::kLoopback;
  }
  if (address >> 16 == 0xA9FE) {
    return Nearness::kLinkLocal;
  }
  bool is_private = address >> 24 == 10 || address >> 20 == 0xAC1 ||
                    address >> 16 == 0xC0A8 || address >> 22 == 0x191;
  return is_private ? Nearness::kPrivate : Nearness::kPublic;
}

Nearness NearnessOf(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in = {};
    memcpy(&in, &address, sizeof in);
    return NearnessOf4(ntohl(in.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) {
    return Nearness::kLoopback;
  }
  sockaddr_in6 in = {};
  memcpy(&in, &address, sizeof in);
  const unsigned char* bytes = in.sin6_addr.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
    return NearnessOf4(uint32_t{bytes[12]} << 24 | uint32_t{bytes[13]} << 16 |
                       uint32_t{bytes[14]} << 8 | bytes[15]);
  }
  if (IN6_IS_ADDR_LOOPBACK(&in.sin6_addr) ||
      IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr)) {
    return Nearness::kLoopback;
  }
  if (IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr)) {
    return Nearness::kLinkLocal;
  }
  return (bytes[0] & 0xFE) == 0xFC ? Nearness::kPrivate : Nearness::kPublic;
}

// Behind a proxy the peer is the proxy, which is the user's own choice.
bool HasProxy() {
  for (const char* name :
       {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    const char* value = getenv(name);
    if (value != nullptr && *value != '\0') {
      return true;
    }
  }
  return false;
}

// One request while it runs.
class Exchange {
 public:
  Exchange(const Curl& curl, const CurlOptions& options,
           const HttpRequest& request, const HttpReceiver& receiver)
      : curl_(curl),
        options_(options),
        request_(request),
        receiver_(receiver),
        proxied_(HasProxy()),
        handle_(curl.init()) {}
  ~Exchange() {
    curl_.free_all(headers_);
    curl_.cleanup(handle_);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  absl::Status Run() {
    if (handle_ == nullptr) {
      return absl::ResourceExhaustedError("libcurl has no memory");
    }
    SetOptions();
    CURLcode code = curl_.perform(handle_);
    if (!status_.ok()) {
      return status_;
    }
    if (code == CURLE_OK) {
      return head_given_ ? absl::OkStatus() : GiveHead();
    }
    return Failure(code);
  }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    CHECK(curl_.setopt(handle_, option, value) == CURLE_OK);
  }

  void SetOptions() {
    Set(CURLOPT_URL, request_.url.c_str());
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    Set(CURLOPT_LOW_SPEED_LIMIT, kSlowBytes);
    Set(CURLOPT_LOW_SPEED_TIME, kSlowSeconds);
    Set(CURLOPT_USERAGENT, options_.user_agent.c_str());
    Set(CURLOPT_ERRORBUFFER, error_);
    if (!options_.ca_file.empty()) {
      Set(CURLOPT_CAINFO, options_.ca_file.c_str());
    }
    for (const auto& [name, value] : request_.headers) {
      headers_ =
          curl_.append(headers_, absl::StrCat(name, ": ", value).c_str());
    }
    Set(CURLOPT_HTTPHEADER, headers_);
    Set(CURLOPT_HEADERFUNCTION, &Exchange::OnHeader);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &Exchange::OnBody);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::OnSocket);
    Set(CURLOPT_OPENSOCKETDATA, this);
    Set(CURLOPT_XFERINFOFUNCTION, &Exchange::OnProgress);
    Set(CURLOPT_XFERINFODATA, this);
    Set(CURLOPT_NOPROGRESS, 0L);
  }

  absl::Status Failure(CURLcode code) const {
    std::string host = Host();
    std::string why = error_[0] != '\0' ? error_ : curl_.strerror(code);
    switch (code) {
      case CURLE_COULDNT_RESOLVE_HOST:
        return absl::NotFoundError(
            absl::StrCat("there is no host `", host, "`"));
      case CURLE_COULDNT_CONNECT:
        return absl::UnavailableError(
            absl::StrCat("cannot connect to ", host, ": ", why));
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CERTPROBLEM:
      case CURLE_SSL_CACERT_BADFILE:
        return absl::UnauthenticatedError(absl::StrCat(
            "the certificate of ", host, " is not trusted: ", why));
      case CURLE_OPERATION_TIMEDOUT:
        return absl::UnavailableError(
            absl::StrCat(host, " is too slow: ", why));
      case CURLE_ABORTED_BY_CALLBACK:
        return absl::CancelledError("the download was cancelled");
      case CURLE_URL_MALFORMAT:
      case CURLE_UNSUPPORTED_PROTOCOL:
        return absl::InvalidArgumentError(why);
      default:
        return absl::UnavailableError(
            absl::StrCat("the connection to ", host, " broke: ", why));
    }
  }

  std::string Host() const {
    absl::StatusOr<Url> url = Url::Parse(request_.url);
    return url.ok() ? url->Authority() : "the server";
  }

  static size_t OnHeader(char* data, size_t size, size_t count, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    exchange->AddHeader(absl::StripTrailingAsciiWhitespace(
        absl::string_view(data, size * count)));
    return size * count;
  }

  // `HTTP/1.1 200 OK` begins a head; a proxy's answer or a 100 may be before.
  void AddHeader(absl::string_view line) {
    if (absl::StartsWith(line, "HTTP/")) {
      head_.headers.clear();
      size_t blank = std::min(line.find(' '), line.size());
      absl::string_view code =
          absl::StripLeadingAsciiWhitespace(line.substr(blank)).substr(0, 3);
      if (!absl::SimpleAtoi(code, &head_.status)) {
        head_.status = 0;
      }
      return;
    }
    size_t colon = line.find(':');
    if (colon == absl::string_view::npos) {
      return;
    }
    head_.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }

  absl::Status GiveHead() {
    head_given_ = true;
    status_ = receiver_.on_head(head_);
    return status_;
  }

  static size_t OnBody(char* data, size_t size, size_t count, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    if (!exchange->head_given_ && !exchange->GiveHead().ok()) {
      return 0;
    }
    exchange->status_ = exchange->receiver_.on_body({data, size * count});
    return exchange->status_.ok() ? size * count : 0;
  }

  static curl_socket_t OnSocket(void* self, curlsocktype /*purpose*/,
                                curl_sockaddr* address) {
    auto* exchange = static_cast<Exchange*>(self);
    Nearness nearness = NearnessOf(address->addr);
    if (!exchange->proxied_ && nearness > exchange->request_.nearest) {
      exchange->status_ = absl::PermissionDeniedError(
          absl::StrCat(exchange->Host(),
                       " has an address inside the local network, where "
                       "a server outside of it may not send us"));
      return CURL_SOCKET_BAD;
    }
    exchange->head_.peer = nearness;
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
  }

  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t,
                        curl_off_t) {
    const auto* cancel = static_cast<Exchange*>(self)->options_.cancel;
    return cancel != nullptr && cancel->load() != 0 ? 1 : 0;
  }

  const Curl& curl_;
  const CurlOptions& options_;
  const HttpRequest& request_;
  const HttpReceiver& receiver_;
  bool proxied_;
  CURL* handle_;
  curl_slist* headers_ = nullptr;
  HttpHead head_;
  bool head_given_ = false;
  absl::Status status_;
  char error_[CURL_ERROR_SIZE] = "";
};

class CurlTransport : public Transport {
 public:
  explicit CurlTransport(CurlOptions options) : options_(std::move(options)) {}

  absl::Status Get(const HttpRequest& request,
                   const HttpReceiver& receiver) override {
    const Curl* curl = LoadCurl();
    if (curl == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(
          "downloads need ", kLibrary, "; install the package libcurl4"));
    }
    return Exchange(*curl, options_, request, receiver).Run();
  }

 private:
  CurlOptions options_;
};

}  // namespace

std::unique_ptr<Transport> MakeCurlTransport(CurlOptions options) {
  return std::make_unique<CurlTransport>(std::move(options));
}

}  // namespace lamina::backend
