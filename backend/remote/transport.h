// HTTP as downloads need it: one exchange, nothing decided here. The real one
// is libcurl's, tests have a fake.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lamina::backend {

// How near to this machine an address is. A server may not send us to what is
// nearer than itself: services there trust whoever reaches them.
enum class Nearness { kPublic, kPrivate, kLoopback, kLinkLocal };

struct HttpRequest {
  std::string url;  // http or https.
  std::vector<std::pair<std::string, std::string>> headers;
  Nearness nearest = Nearness::kLinkLocal;  // Nearer peers are refused.
};

struct HttpHead {
  int status = 0;
  std::map<std::string, std::string> headers;  // Names in lower case.
  Nearness peer = Nearness::kPublic;

  // "" when it is not there.
  std::string Header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct HttpReceiver {
  // Once, before any byte of the body.
  std::function<absl::Status(const HttpHead& head)> on_head;
  std::function<absl::Status(absl::string_view bytes)> on_body;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // A GET; redirects are not followed. OK when the answer came whole, whatever
  // its status. Errors: Unavailable (no connection, or cut: worth another
  // try), NotFound (no such host), Unauthenticated (the certificate),
  // PermissionDenied (a peer that is too near), Cancelled, and what the
  // receiver returned. Thread-safe.
  virtual absl::Status Get(const HttpRequest& request,
                           const HttpReceiver& receiver) = 0;
};

struct CurlOptions {
  std::string user_agent;
  std::string ca_file;  // Certificates to trust; empty: the system's.
  const std::atomic<int>* cancel = nullptr;  // Not zero: stop.
};

// libcurl is loaded by the first request.
std::unique_ptr<Transport> MakeCurlTransport(CurlOptions options);

}  // namespace lamina::backend
