#include "backend/executor.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backend/assemble_image.h"
#include "backend/make_step.h"
#include "base/status.h"

namespace lamina::backend {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

// Whether a step failed because of what the build file says: a source that is
// not in another stage, a folder where a file has to be.
bool IsUsers(const ir::Op& op, const absl::Status& status) {
  // A sandbox that cannot be made is a failed precondition, too.
  bool places = !std::holds_alternative<ir::Run>(op);
  return absl::IsNotFound(status) || absl::IsInvalidArgument(status) ||
         (places && absl::IsFailedPrecondition(status));
}

class Executor {
 public:
  Executor(const Plan& plan, Store& store, runtime::Sandbox& sandbox,
           const ExecuteOptions& options, const BuildEvents& events)
      : plan_(plan), store_(store), options_(options), events_(events),
        results_(plan.graph.nodes.size()), made_(plan.graph.nodes.size()),
        states_(plan.steps.size(), State::kWaiting),
        maker_(plan, store, sandbox, options, results_) {}

  absl::StatusOr<BuildResult> Execute() {
    RETURN_IF_ERROR(Prepare());
    std::vector<std::thread> helpers;
    for (int i = 1; i < Workers(); ++i) {
      helpers.emplace_back([this] { Work(); });
    }
    Work();
    for (std::thread& helper : helpers) {
      helper.join();
    }
    if (stopped_) {
      ReportNotReached();
      // What was built before a failure stays cached.
      RETURN_IF_ERROR(store_.Flush());
      if (!status_.ok()) {
        return std::move(status_);
      }
      return std::move(result_);
    }
    CHECK(plan_.graph.targets.size() == 1);
    ASSIGN_OR_RETURN(
        result_.image,
        AssembleImage(plan_, plan_.graph.targets[0], results_, made_, store_,
                      options_));
    return std::move(result_);
  }

 private:
  enum class State { kWaiting, kRunning, kDone };

  absl::Status Prepare() {
    step_of_node_.assign(results_.size(), kNoStep);
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      ir::NodeId id = plan_.steps[i].node;
      step_of_node_[id.index] = i;
      positions_.push_back(++stage_sizes_[plan_.graph.nodes[id].stage]);
    }
    for (uint32_t index = 0; index < results_.size(); ++index) {
      if (step_of_node_[index] == kNoStep) {
        ASSIGN_OR_RETURN(
            results_[index],
            BaseResult(plan_.graph.nodes[ir::NodeId{index}].op, &store_));
      }
    }
    return absl::OkStatus();
  }

  // More threads than stages with something to run would only wait.
  int Workers() const {
    std::set<std::string> stages;
    for (const Step& step : plan_.steps) {
      if (!step.record.has_value()) {
        stages.insert(plan_.graph.nodes[step.node].stage);
      }
    }
    return std::max(1, std::min(options_.jobs, static_cast<int>(stages.size())));
  }

  // --- scheduling --------------------------------------------------------

  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      std::optional<size_t> next = NextReady();
      if (!next.has_value()) {
        if (stopped_ || running_ == 0) {
          return;
        }
        changed_.wait(lock);
        continue;
      }
      states_[*next] = State::kRunning;
      ++running_;
      lock.unlock();
      absl::Status status = DoStep(*next);
      lock.lock();
      --running_;
      states_[*next] = State::kDone;
      if (IsUsers(Node(*next).op, status)) {
        Fail(*next, {.message = std::string(status.message())});
      } else if (!status.ok()) {
        Stop(*next, Annotate(status, absl::StrCat("at `", Node(*next).text,
                                                  "`")));
      }
      changed_.notify_all();
    }
  }

  // The caller holds the mutex.
  std::optional<size_t> NextReady() const {
    for (size_t i = 0; i < states_.size() && !stopped_; ++i) {
      if (states_[i] != State::kWaiting) {
        continue;
      }
      const std::vector<ir::NodeId>& inputs = Node(i).inputs;
      bool ready = std::all_of(
          inputs.begin(), inputs.end(), [this](ir::NodeId input) {
            size_t step = step_of_node_[input.index];
            return step == kNoStep || states_[step] == State::kDone;
          });
      if (ready) {
        return i;
      }
    }
    return std::nullopt;
  }

  // Of several failures the one that comes first in the build file counts. The
  // caller holds the mutex.
  void Stop(size_t step, absl::Status status) {
    if (!stopped_ || step < stopped_at_) {
      stopped_ = true;
      stopped_at_ = step;
      status_ = std::move(status);
    }
  }

  // The caller holds the mutex.
  void Fail(size_t step, StepFailure failure) {
    Stop(step, absl::OkStatus());
    if (stopped_at_ == step) {
      failure.node = plan_.steps[step].node;
      failure.step_number = static_cast<int>(step) + 1;
      result_.failure = std::move(failure);
    }
  }

  // --- events ------------------------------------------------------------

  const ir::Node& Node(size_t step) const {
    return plan_.graph.nodes[plan_.steps[step].node];
  }

  void Report(BuildEvent::Kind kind, size_t step, double seconds = 0,
              absl::string_view output = "") {
    const ir::Node& node = Node(step);
    BuildEvent event;
    event.kind = kind;
    event.number = positions_[step];
    event.total = stage_sizes_.at(node.stage);
    event.stage = node.stage;
    event.text = node.text;
    event.output = std::string(output);
    event.seconds = seconds;
    std::lock_guard lock(events_mutex_);
    events_(event);
  }

  void ReportNotReached() {
    for (size_t i = 0; i < states_.size(); ++i) {
      if (states_[i] == State::kWaiting) {
        Report(BuildEvent::Kind::kNotReached, i);
      }
    }
  }

  // --- one step ----------------------------------------------------------

  absl::Status UseRecord(size_t step, const StepRecord& record) {
    const ir::Node& node = Node(step);
    uint32_t index = plan_.steps[step].node.index;
    ASSIGN_OR_RETURN(results_[index],
                     ResultAfter(results_[node.inputs[0].index], record.layer,
                                 store_));
    made_[index] = {record.layer, record.created};
    Report(BuildEvent::Kind::kCached, step);
    Keep(record);
    for (StepRecord& alias : Aliases(plan_.steps[step], record)) {
      Keep(std::move(alias));
    }
    std::lock_guard lock(mutex_);
    ++result_.steps_cached;
    return absl::OkStatus();
  }

  absl::Status DoStep(size_t number) {
    const Step& step = plan_.steps[number];
    if (step.record.has_value()) {
      return UseRecord(number, *step.record);
    }
    if (options_.cancel != nullptr && options_.cancel->load() != 0) {
      return absl::CancelledError("the build was cancelled");
    }
    const ir::Node& node = Node(number);
    std::vector<CopyListing> listings = step.listings;
    bool copies = std::holds_alternative<ir::Copy>(node.op);
    bool may_hit = MayUseCache(plan_.options, node);
    if (copies && !listings.empty()) {
      // Digests are worth their reading only if there is something to find;
      // else they come out of the copying itself.
      ASSIGN_OR_RETURN(auto prefix,
                       store_.FindStep(PrefixKey(node, results_)));
      may_hit = may_hit && prefix.has_value();
    }
    RETURN_IF_ERROR(
        maker_.List(step.node, /*read=*/may_hit || !copies, listings));
    UniqueFd lock;
    if (may_hit || !copies) {
      // Another build may have finished this step since the plan was made.
      Digest key = StepKey(node, results_, listings, plan_.options);
      ASSIGN_OR_RETURN(lock, store_.Lock(key));
      ASSIGN_OR_RETURN(auto record, store_.FindStep(key));
      if (may_hit && record.has_value()) {
        for (const StepRecord& alias : Aliases(step, *record)) {
          RETURN_IF_ERROR(store_.AddStep(alias));
        }
        return UseRecord(number, *record);
      }
    }
    Report(BuildEvent::Kind::kStarted, number);
    auto start = std::chrono::steady_clock::now();
    absl::StatusOr<MadeLayer> made =
        maker_.Make(step.node, listings, [&](absl::string_view bytes) {
          if (!bytes.empty()) {
            Report(BuildEvent::Kind::kOutput, number, 0, bytes);
          }
        });
    bool good = made.ok() && !made->failure.has_value();
    Report(good ? BuildEvent::Kind::kFinished : BuildEvent::Kind::kFailed,
           number, SecondsSince(start));
    RETURN_IF_ERROR(made.status());
    std::unique_lock guard(mutex_);
    ++result_.steps_run;
    if (!good) {
      Fail(number, {.result = *made->failure, .last_output = made->last_output});
      return absl::OkStatus();
    }
    guard.unlock();
    return Record(step, *made, listings, SecondsSince(start));
  }

  absl::Status Record(const Step& step, const MadeLayer& made,
                      const std::vector<CopyListing>& listings,
                      double seconds) {
    const ir::Node& node = plan_.graph.nodes[step.node];
    ASSIGN_OR_RETURN(results_[step.node.index],
                     ResultAfter(results_[node.inputs[0].index], made.layer,
                                 store_));
    made_[step.node.index] = {made.layer, maker_.Now()};
    StepRecord record;
    record.key = StepKey(node, results_, listings, plan_.options);
    record.layer = made.layer;
    record.seconds = seconds;
    record.created = maker_.Now();
    record.name = step.name;
    record.inputs = StepInputs(plan_.graph, node, results_, listings);
    RETURN_IF_ERROR(store_.AddStep(record));
    for (StepRecord& alias : Aliases(step, record)) {
      RETURN_IF_ERROR(store_.AddStep(alias));
      Keep(std::move(alias));
    }
    Keep(std::move(record));
    return absl::OkStatus();
  }

  // A COPY is found by its parent alone, which says that reading the files is
  // worth it, and one from a stage by that stage's chain, which needs no files.
  std::vector<StepRecord> Aliases(const Step& step,
                                  const StepRecord& record) const {
    const ir::Node& node = plan_.graph.nodes[step.node];
    std::vector<SourceRead> reads = SourceReads(plan_.graph, node);
    std::vector<StepRecord> aliases;
    if (!std::holds_alternative<ir::Copy>(node.op) || reads.empty()) {
      return aliases;
    }
    if (!reads[0].from_context) {
      aliases.push_back(record);
      aliases.back().key = StepKey(node, results_, {}, plan_.options);
    }
    StepRecord prefix;
    prefix.key = PrefixKey(node, results_);
    prefix.created = record.created;
    aliases.push_back(std::move(prefix));
    return aliases;
  }

  void Keep(StepRecord record) {
    std::lock_guard lock(mutex_);
    result_.records.push_back(std::move(record));
  }

  static constexpr size_t kNoStep = static_cast<size_t>(-1);

  const Plan& plan_;
  Store& store_;
  const ExecuteOptions& options_;
  const BuildEvents& events_;
  std::vector<NodeResult> results_;  // Each written by one step only.
  std::vector<MadeStep> made_;
  std::vector<size_t> step_of_node_;
  std::vector<int> positions_;  // Of each step in its stage, from 1.
  std::map<std::string, int> stage_sizes_;
  std::mutex events_mutex_;
  // Guards what follows.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<State> states_;
  int running_ = 0;
  bool stopped_ = false;
  size_t stopped_at_ = 0;
  absl::Status status_;
  BuildResult result_;
  StepMaker maker_;
};

}  // namespace

absl::StatusOr<BuildResult> Execute(const Plan& plan, Store& store,
                                    runtime::Sandbox& sandbox,
                                    const ExecuteOptions& options,
                                    const BuildEvents& events) {
  auto executor =
      std::make_unique<Executor>(plan, store, sandbox, options, events);
  return executor->Execute();
}

}  // namespace lamina::backend
