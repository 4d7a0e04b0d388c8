// A transport that plays answers back. For tests only.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/remote/transport.h"

namespace lamina::backend {

struct FakeAnswer {
  int status = 200;
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;
  absl::Status error;  // After the head (if `status` is set) and the body.
  Nearness peer = Nearness::kPublic;
};

class FakeTransport : public Transport {
 public:
  // Answers of a URL are given one after the other, the last one for ever.
  void Add(const std::string& url, FakeAnswer answer) {
    answers_[url].push_back(std::move(answer));
  }

  absl::Status Get(const HttpRequest& request,
                   const HttpReceiver& receiver) override {
    requests.push_back(request);
    auto found = answers_.find(request.url);
    if (found == answers_.end()) {
      return absl::NotFoundError("there is no host `h`");
    }
    FakeAnswer answer = found->second.front();
    if (found->second.size() > 1) {
      found->second.pop_front();
    }
    if (answer.peer > request.nearest) {
      return absl::PermissionDeniedError("too near");
    }
    if (answer.status != 0) {
      HttpHead head = {answer.status, answer.headers, answer.peer};
      if (absl::Status status = receiver.on_head(head); !status.ok()) {
        return status;
      }
      // In two pieces, as a network would.
      size_t half = answer.body.size() / 2;
      for (absl::string_view part :
           {absl::string_view(answer.body).substr(0, half),
            absl::string_view(answer.body).substr(half)}) {
        if (absl::Status status = receiver.on_body(part); !status.ok()) {
          return status;
        }
      }
    }
    return answer.error;
  }

  std::vector<HttpRequest> requests;

 private:
  std::map<std::string, std::deque<FakeAnswer>> answers_;
};

// "Name: value" of the request, or "".
inline std::string Sent(const HttpRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) {
      return value;
    }
  }
  return "";
}

}  // namespace lamina::backend
