// Carries out one step: a command in the sandbox, or a copy without one.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/executor.h"
#include "backend/layer_stacks.h"
#include "backend/plan.h"
#include "backend/run_mounts.h"

namespace lamina::backend {

struct MadeLayer {
  std::optional<LayerId> layer;  // None: the step changed nothing.
  uint64_t bytes = 0;            // Of its diff; see DiffBytes.
  // Set when the command failed; there is no layer then.
  std::optional<runtime::SandboxResult> failure;
  std::string last_output;  // Of a failed command, at most 50 lines.
};

using OutputBytes = std::function<void(absl::string_view bytes)>;

// What several commands in one sandbox tell, by their position.
struct RunEvents {
  std::function<void(size_t position)> on_start;
  std::function<void(size_t position, absl::string_view bytes)> on_output;
};

// The name of the layer that a step with this key leaves.
Digest LayerChain(const Digest& key);

// Makes steps; thread-safe for steps of different stages. `results` holds what
// the inputs of a step left.
class StepMaker {
 public:
  StepMaker(const Plan& plan, Store& store, runtime::Sandbox& sandbox,
            const ExecuteOptions& options,
            const std::vector<NodeResult>& results)
      : plan_(plan), store_(store), sandbox_(sandbox), options_(options),
        results_(results), stacks_(store) {}

  // Lists what the step reads, if the plan could not: files of another stage.
  // Digests are filled in only if `read`; making the step fills in the others.
  absl::Status List(ir::NodeId id, bool read,
                    std::vector<CopyListing>& listings);
  // Completes the digests of `listings` from the pass over the bytes.
  absl::StatusOr<MadeLayer> Make(ir::NodeId id,
                                 std::vector<CopyListing>& listings,
                                 const OutputBytes& on_output);
  // Makes RUNs that stand one on the other as one step, with the key of the
  // last. Each starts when all processes of the one before are gone, in a new
  // sandbox on the same files, so mounts and users are its own. The first that
  // fails is the last that was started.
  absl::StatusOr<MadeLayer> MakeRuns(const std::vector<ir::NodeId>& ids,
                                     std::vector<CopyListing>& listings,
                                     const RunEvents& events);
  // Time of everything new, seconds since the epoch.
  int64_t Now() const;

 private:
  // Trees with all that must outlive them.
  struct OpenedSource {
    std::deque<SourceTree> files;
    std::deque<std::vector<std::string>> folders;
    SourceTrees trees;
  };

  // Runs one command on `folders` with the writable `folder`.
  absl::StatusOr<runtime::SandboxResult> RunOne(
      ir::NodeId id, std::vector<CopyListing>& listings,
      const std::vector<std::string>& folders, const std::string& folder,
      const OutputBytes& on_output);
  absl::StatusOr<MadeLayer> MakeCopy(ir::NodeId id, const ir::Copy& copy,
                                     std::vector<CopyListing>& listings);
  absl::StatusOr<MadeLayer> MakeFolder(ir::NodeId id, const ir::MakeDir& make);
  absl::StatusOr<runtime::SandboxSpec> Spec(
      const ir::Run& run, const std::vector<std::string>& folders) const;

  // The files that `inputs` (positions) of a node have.
  absl::StatusOr<OpenedSource> Open(const ir::Node& node,
                                    const std::vector<uint32_t>& inputs);
  absl::StatusOr<SourceTree> OpenTree(const ir::Node& node, uint32_t input,
                                      OpenedSource& opened);
  // Writes what `copy` places onto the tree of `parent` as a layer with the
  // chain of the key that `key` answers once the listing is complete.
  absl::StatusOr<MadeLayer> WriteCopy(
      const ir::Copy& copy, const NodeResult& parent, const std::string& user,
      const SourceTrees& trees, CopyListing* listing,
      const std::function<Digest()>& key);
  absl::StatusOr<MadeLayer> Publish(
      const ir::StepDiff& diff, const LayerBlob& blob, const std::string& file,
      const Digest& key);
  // The folder or file on the host that a bind mount from the build context
  // shows: a layer of its own, kept for later builds.
  absl::StatusOr<runtime::SandboxMount> MountContext(const ir::Node& node,
                                                     const SourceRead& read,
                                                     CopyListing& listing);
  // The files of a listing as a layer of its own, without what is below.
  absl::StatusOr<std::optional<LayerId>> LayerOfFiles(const ir::Node& node,
                                                      const ir::Copy& copy,
                                                      const SourceTrees& trees,
                                                      CopyListing& listing);
  absl::Status AddMounts(const ir::Node& node, const ir::Run& run,
                         std::vector<CopyListing>& listings,
                         StepMounts& mounts);
  // What a cache mount with `from` starts with. `listing` is of the build
  // context, null for another tree; all three must outlive the seed.
  CacheSeed SeedOf(const ir::Node& node, const ir::Mount& mount,
                   const CopyListing* listing);
  absl::Status FillCache(const ir::Node& node, const ir::Mount& mount,
                         const CopyListing* known, const std::string& folder);
  absl::Status UnpackInto(LayerId layer, const std::string& folder);
  absl::StatusOr<runtime::SandboxMount> MountTree(const ir::Node& node,
                                                  const ir::Mount& mount);
  int64_t NewestTime() const;

  const Plan& plan_;
  Store& store_;
  runtime::Sandbox& sandbox_;
  const ExecuteOptions& options_;
  const std::vector<NodeResult>& results_;
  LayerStacks stacks_;
  std::atomic<uint64_t> files_ = 0;  // For names in the scratch folder.
};

}  // namespace lamina::backend
