// Brings in what RemoteFile and GitTree name, in two steps: before the plan,
// what they are; after it, the bytes that steps need.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/remote/download.h"
#include "backend/remote/git_repository.h"
#include "backend/remote/transport.h"
#include "backend/store/store.h"
#include "base/diagnostic.h"
#include "base/files.h"
#include "ir/graph.h"

namespace lamina::backend {

// What is known of a remote source.
struct RemoteState {
  // Names the content, and nothing but the content: a step's key is made of
  // it. None while it is unknown.
  std::optional<Digest> identity;
  std::string unknown;  // Why there is none, for the user.

  // --- RemoteFile
  Digest content;     // Of a blob, once it is fetched.
  int64_t mtime = 0;  // Seconds since the epoch.
  // --- GitTree
  GitRef ref;
  std::string folder;  // The files, once they are fetched.
  std::optional<int64_t> commit_time;

  bool fetched = false;
};

// By PrintOp of the node.
using RemoteStates = std::map<std::string, RemoteState>;

// True for RemoteFile and GitTree.
bool IsRemote(const ir::Op& op);

struct RemoteOptions {
  bool network = true;   // False: the store's memory only.
  bool refresh = false;  // Fetches anew what is not fixed by a checksum.
  DownloadOptions downloads;
  int at_once = 4;
  // The text of a secret; NotFound when it was not given.
  std::function<absl::StatusOr<std::string>(const std::string& id)> secret;
  std::string agent;  // Socket of an ssh agent.
  const std::atomic<int>* cancel = nullptr;
  // Called before something is fetched, by one thread at a time.
  std::function<void(const std::string& what)> on_fetch;
};

// Checked-out files live as long as this.
class RemoteSources {
 public:
  // `store` may be null if there is no network: nothing is known then.
  RemoteSources(Store* store, Transport& transport, RemoteOptions options)
      : store_(store), transport_(transport), options_(std::move(options)) {}

  // What each remote source of the graph is. Fetches files without a checksum,
  // and asks git repositories. Reports each failure at its source.
  absl::StatusOr<RemoteStates> Resolve(const ir::BuildGraph& graph,
                                       Diagnostics& diagnostics);
  // Fetches the bytes of `nodes`.
  absl::Status Fetch(const ir::BuildGraph& graph,
                     const std::vector<ir::NodeId>& nodes, RemoteStates& states,
                     Diagnostics& diagnostics);
  // Both, for one source that no graph has (a build context).
  absl::StatusOr<RemoteState> FetchOne(const ir::Op& op);

 private:
  absl::StatusOr<RemoteState> ResolveOne(const ir::Op& op);
  absl::StatusOr<RemoteState> ResolveFile(const ir::RemoteFile& file);
  absl::StatusOr<RemoteState> ResolveGit(const ir::GitTree& tree);
  absl::Status FetchInto(const ir::Op& op, RemoteState& state);
  absl::Status FetchFile(const ir::RemoteFile& file, RemoteState& state);
  absl::Status FetchGit(const ir::GitTree& tree, RemoteState& state);
  absl::Status FetchCommit(const ir::GitTree& tree, GitRepository& repository,
                           RemoteState& state);
  absl::Status Download(const ir::RemoteFile& file,
                        const std::optional<RemoteRecord>& record,
                        RemoteState& state);
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> FileHeaders(
      const std::string& url);
  absl::StatusOr<GitRepository> OpenGit(const std::string& url);
  absl::StatusOr<std::optional<std::string>> Secret(const std::string& id);
  absl::StatusOr<std::optional<RemoteRecord>> Remembered(const Digest& key);
  absl::StatusOr<UniqueFd> Lock(const Digest& key);
  void Announce(const std::string& url);
  // Runs `work` for each number below `count`, some at once.
  void ForEach(size_t count, const std::function<void(size_t)>& work);

  Store* store_;
  Transport& transport_;
  RemoteOptions options_;
  std::mutex mutex_;  // Guards what follows.
  std::vector<TempDir> folders_;
};

}  // namespace lamina::backend
