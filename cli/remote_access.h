// What a build fetches with: the store, which is opened when it is needed, and
// the network, if it may be used.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "backend/remote/remote_sources.h"
#include "backend/remote/transport.h"
#include "backend/run_mounts.h"
#include "backend/store/store.h"
#include "cli/command.h"

namespace lamina::cli {

class RemoteAccess {
 public:
  using OpenStore =
      std::function<absl::StatusOr<std::unique_ptr<backend::Store>>()>;

  // What may be changed and used. `open` may answer null where nothing may.
  enum class Rights { kReadStore, kWriteStore, kUseNetwork };

  RemoteAccess(OpenStore open, Rights rights, const std::atomic<int>* cancel)
      : open_(std::move(open)), rights_(rights), cancel_(cancel) {}

  bool writes() const { return rights_ != Rights::kReadStore; }
  // Null when there is none. Opened at the first call.
  absl::StatusOr<backend::Store*> GetStore();
  // With the secrets and agents that the command line gives. What they fetched
  // lives as long as this.
  absl::StatusOr<backend::RemoteSources*> GetSources(
      const Invocation& invocation, const backend::RunResources& resources);

 private:
  OpenStore open_;
  Rights rights_;
  const std::atomic<int>* cancel_;
  bool opened_ = false;
  std::unique_ptr<backend::Store> store_;
  std::unique_ptr<backend::Transport> transport_;
  std::unique_ptr<backend::RemoteSources> sources_;
};

}  // namespace lamina::cli
