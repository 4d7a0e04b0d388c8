// Graph -> plan: which steps run, which are cached, and why. Reads the store
// and the build contexts, writes nothing. The dry run prints exactly this.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/copy.h"
#include "backend/remote/remote_sources.h"
#include "backend/store/store.h"
#include "base/diagnostic.h"
#include "ir/graph.h"
#include "ir/patterns.h"

namespace lamina::backend {

// A folder of the user that LocalFiles names.
struct LocalContext {
  std::string path;
  ir::IgnoreMatcher ignore;
  // The files of a commit: modes 0644 and 0755, and its time if it is given.
  bool commit = false;
  std::optional<int64_t> commit_time;
};

absl::StatusOr<SourceTree> OpenContext(const LocalContext& context);

struct PlanOptions {
  std::map<std::string, LocalContext> contexts;  // By LocalFiles::name.
  RemoteStates remotes;  // What is known of the graph's remote sources.
  std::string definition;  // Name of the build file: part of step identities.
  bool no_cache = false;
  std::set<std::string> no_cache_stages;  // Lower case; --no-cache-filter
  // Ids of secrets and ssh agents that steps can ask for.
  std::set<std::string> secrets;
  std::set<std::string> agents;
  // Seconds since the epoch that every new time stamp gets.
  std::optional<int64_t> source_date_epoch;
  // True: every file that a key needs is read now, so that each step is known
  // to be cached or not. False: a COPY that was never made on this parent is
  // known to run without looking at its files; the executor reads them once.
  bool read_everything = false;
  // Where the kernel says which programs it runs by an interpreter.
  std::string binfmt_folder = "/proc/sys/fs/binfmt_misc";
  // True: what is missing in a context is a warning, and the step then runs.
  bool offline = false;
};

enum class StepState { kCached, kRun };

struct Step {
  ir::NodeId node;
  StepState state = StepState::kRun;
  std::string reason;   // In the user's words; empty when cached.
  std::string name;     // Identity across builds.
  std::optional<Digest> key;         // None: known when its inputs were made.
  std::optional<StepRecord> record;  // Of the cached step.
  std::optional<double> expected_seconds;  // From earlier builds.
  // What the same step left last, whatever its key was then; of a step that
  // runs.
  std::optional<StepRecord> earlier;
  // By SourceReads: what is read from folders of the user. Empty while it is
  // not known: files of a stage that runs.
  std::vector<CopyListing> listings;
};

struct Plan {
  ir::BuildGraph graph;
  PlanOptions options;
  std::vector<Step> steps;  // In the order of execution.
};

// What a node leaves: a stack of layers.
struct NodeResult {
  Digest chain;                 // Names the stack; zeros for the empty one.
  std::vector<LayerId> layers;  // Bottom to top.
  // Of a remote source, which has no layers: how messages call it. Its chain
  // names its content.
  std::string remote;
};

// What is unknown when this is a base that was not found; else nothing.
std::optional<std::string> UnknownBase(const ir::Op& op);
// The state of a remote source, which may have no identity.
const RemoteState& RemoteStateOf(const ir::Op& op, const PlanOptions& options);

// True for the operations that are steps: Run, Copy, MakeDir.
bool IsStep(const ir::Op& op);

// Files that a step reads by content, not as a whole tree: the sources of a
// COPY, or what a bind mount from a folder of the user shows, as a COPY onto
// an empty tree.
struct SourceRead {
  ir::Copy copy;
  // Of the copy's trees, positions in Node::inputs.
  std::vector<uint32_t> inputs;
  // All trees are folders of the user, or remote: no step makes them.
  bool from_context = false;
  const ir::Mount* mount = nullptr;   // Of the RUN, into the graph.
};
std::vector<SourceRead> SourceReads(const ir::BuildGraph& graph,
                                    const ir::Node& node);

// The COPY onto an empty tree that gives what a mount shows of its input.
ir::Copy MountedFiles(const ir::Mount& mount);

// False where the user wants the step run anew.
bool MayUseCache(const PlanOptions& options, const ir::Node& node);

// Reports what cannot be done (a missing source file, a base without layers)
// at the place where the user asked for it. The plan is meaningful only if no
// error was reported. `store` may be null: nothing is cached then.
absl::StatusOr<Plan> MakePlan(ir::BuildGraph graph, const PlanOptions& options,
                              Store* store, const SourceFile& source,
                              Diagnostics& diagnostics);


// The stack of a node that is no step.
absl::StatusOr<NodeResult> BaseResult(const ir::Op& op,
                                      const PlanOptions& options, Store* store);

// The stack after a finished step.
absl::StatusOr<NodeResult> ResultAfter(const NodeResult& parent,
                                       const std::optional<LayerId>& layer,
                                       Store& store);

// The stack of a command whose sandbox the next one goes on to use: it has a
// name for the key of the next, but is never made. `key` is that of the step.
NodeResult UnmadeResult(const NodeResult& parent, const Digest& key);

// The key of a step whose inputs are all made: operation, chains of the inputs,
// digests of the listings, epoch. Never a time stamp or a path on the host.
// The listing of a COPY from another stage stands for that stage: the same
// files from elsewhere are a hit. Without it the key names the stage's chain.
// A remote source always stands there by its chain.
Digest StepKey(const ir::Node& node, const std::vector<NodeResult>& results,
               const std::vector<CopyListing>& listings,
               const PlanOptions& options);
// One line an input of that key, for StepRecord::inputs: its name in the
// user's words and a digest. Values, secret ones too, are only in digests.
std::string StepInputs(const ir::BuildGraph& graph, const ir::Node& node,
                       const std::vector<NodeResult>& results,
                       const std::vector<CopyListing>& listings);
// Names what differs between two such texts.
std::string CompareInputs(absl::string_view before, absl::string_view now);
// Known as soon as this COPY ran once on this parent, whatever the files.
Digest PrefixKey(const ir::Node& node, const std::vector<NodeResult>& results);

// Fills in the digests of all files of the listing: from the store's memory of
// unchanged files, else by reading. Without `read` unknown ones stay empty.
absl::Status FillDigests(CopyListing& listing, const SourceTrees& trees,
                         Store* store, bool read);

// The remote nodes whose bytes are needed: what steps that run copy from.
std::vector<ir::NodeId> RemotesToFetch(const Plan& plan);

}  // namespace lamina::backend
