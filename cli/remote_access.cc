#include "cli/remote_access.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/error_format.h"
#include "cli/help.h"

namespace lamina::cli {
namespace {

// In short pieces, so that a signal ends the waiting.
void SleepFor(double seconds, const std::atomic<int>* cancel) {
  constexpr double kPiece = 0.1;
  for (; seconds > 0 && (cancel == nullptr || cancel->load() == 0);
       seconds -= kPiece) {
    std::this_thread::sleep_for(
        std::chrono::duration<double>(std::min(seconds, kPiece)));
  }
}

absl::StatusOr<backend::DownloadOptions> ReadDownloadOptions(
    const Invocation& invocation, const std::atomic<int>* cancel) {
  backend::DownloadOptions options;
  ASSIGN_OR_RETURN(int64_t retries, invocation.GetInt("retry"));
  if (retries < 0 || retries > 100) {
    return UsageError("--retry is a number from 0 to 100");
  }
  options.tries = static_cast<int>(retries) + 1;
  ASSIGN_OR_RETURN(options.first_delay, invocation.GetDuration("retry-delay"));
  options.sleep = [cancel](double seconds) { SleepFor(seconds, cancel); };
  options.jitter = [] {
    thread_local std::minstd_rand random(std::random_device{}());
    return std::uniform_real_distribution<double>(0, 1)(random);
  };
  options.now = [] { return static_cast<int64_t>(time(nullptr)); };
  return options;
}

}  // namespace

absl::StatusOr<backend::Store*> RemoteAccess::GetStore() {
  if (!opened_) {
    ASSIGN_OR_RETURN(store_, open_());
    opened_ = true;
  }
  return store_.get();
}

absl::StatusOr<backend::RemoteSources*> RemoteAccess::GetSources(
    const Invocation& invocation, const backend::RunResources& resources) {
  if (sources_ != nullptr) {
    return sources_.get();
  }
  ASSIGN_OR_RETURN(backend::Store * store, GetStore());
  backend::CurlOptions curl;
  curl.user_agent = absl::StrReplaceAll(VersionText(), {{" ", "/"}});
  curl.cancel = cancel_;
  if (const char* file = getenv("SSL_CERT_FILE")) {
    curl.ca_file = file;
  }
  transport_ = backend::MakeCurlTransport(std::move(curl));
  backend::RemoteOptions options;
  options.network = rights_ == Rights::kUseNetwork;
  options.refresh = invocation.GetBool("no-cache");
  ASSIGN_OR_RETURN(options.downloads, ReadDownloadOptions(invocation, cancel_));
  options.cancel = cancel_;
  options.secret = [secrets = resources.secrets](
                       const std::string& id) -> absl::StatusOr<std::string> {
    auto given = secrets.find(id);
    if (given == secrets.end()) {
      return absl::NotFoundError(id);
    }
    return backend::ReadSecret(id, given->second);
  };
  auto agent = resources.agents.find("default");
  options.agent = agent == resources.agents.end() ? "" : agent->second;
  ASSIGN_OR_RETURN(RenderOptions render, ReadRenderOptions(invocation));
  if (!invocation.GetBool("quiet") && invocation.Get("progress") != "quiet" &&
      render.format == ErrorFormat::kHuman) {
    options.on_fetch = [](const std::string& url) {
      std::string line = absl::StrCat("fetching ", url, "\n");
      WriteAll(STDERR_FILENO, line).IgnoreError();
    };
  }
  sources_ = std::make_unique<backend::RemoteSources>(store, *transport_,
                                                      std::move(options));
  return sources_.get();
}

}  // namespace lamina::cli
