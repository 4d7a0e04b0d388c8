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
#include "backend/epochs.h"
#include "backend/joined_runs.h"
#include "backend/make_step.h"
#include "backend/schedule.h"
#include "backend/step_trace.h"
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
        remaining_(RemainingSeconds(plan)),
        states_(plan.steps.size(), State::kWaiting),
        maker_(plan, store, sandbox, options, results_) {}

  absl::StatusOr<BuildResult> Execute() {
    RETURN_IF_ERROR(Prepare());
    begin_ = std::chrono::steady_clock::now();
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
      result_.seconds = SecondsSince(begin_);
      return std::move(result_);
    }
    CHECK(plan_.graph.targets.size() == 1);
    ASSIGN_OR_RETURN(
        AssembledImage assembled,
        AssembleImage(plan_, plan_.graph.targets[0], results_, made_, store_,
                      options_));
    result_.image = std::move(assembled.image);
    result_.exported = std::move(assembled.exported);
    result_.chain = std::move(assembled.chain);
    result_.seconds = SecondsSince(begin_);
    return std::move(result_);
  }

 private:
  enum class State { kWaiting, kRunning, kDone };

  absl::Status Prepare() {
    step_of_node_.assign(results_.size(), kNoStep);
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      ir::NodeId id = plan_.steps[i].node;
      step_of_node_[id.index] = i;
      const ir::Node& node = plan_.graph.nodes[id];
      positions_.push_back(++stage_sizes_[node.stage]);
      BuiltStep& built = result_.steps.emplace_back();
      built.stage = node.stage;
      built.text = node.text;
      built.state = "not reached";
    }
    for (ir::NodeId id :
         FindChain(plan_.graph, plan_.graph.targets[0]).steps) {
      result_.steps[step_of_node_[id.index]].own = true;
    }
    for (uint32_t index = 0; index < results_.size(); ++index) {
      if (step_of_node_[index] == kNoStep) {
        ASSIGN_OR_RETURN(
            results_[index],
            BaseResult(plan_.graph.nodes[ir::NodeId{index}].op, plan_.options,
                       &store_));
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

  // The one that the end of the build waits for the longest; of equals the
  // first in the build file. The caller holds the mutex.
  std::optional<size_t> NextReady() const {
    std::optional<size_t> next;
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
      if (ready && (!next || remaining_[i] > remaining_[*next])) {
        next = i;
      }
    }
    return next;
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
      if (failure.step_number == 0) {
        failure.step_number = static_cast<int>(step) + 1;
      }
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
    if (!record.key.empty()) {  // Else the layer of a later step has it.
      Keep(record);
    }
    for (StepRecord& alias : Aliases(plan_.steps[step], record)) {
      Keep(std::move(alias));
    }
    BuiltStep& built = result_.steps[step];
    built.state = "cached";
    built.start = SecondsSince(begin_);
    RETURN_IF_ERROR(NameDiff(node, record.layer, built));
    std::lock_guard lock(mutex_);
    ++result_.steps_cached;
    return absl::OkStatus();
  }

  // What the step left, as later builds compare it. A copy is known by its
  // bytes, what a command left by its layer.
  absl::Status NameDiff(const ir::Node& node,
                        const std::optional<LayerId>& layer, BuiltStep& built) {
    if (!layer.has_value()) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(Layer left, store_.GetLayer(*layer));
    built.diff = DiffName(node, left);
    if (built.state != "run") {
      built.bytes = static_cast<int64_t>(left.size);
    }
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
    std::vector<size_t> group = JoinedSteps(plan_, step_of_node_, number);
    if (group.size() > 1) {
      return DoGroup(group);
    }
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
    BuiltStep& built = result_.steps[number];
    built.state = good ? "run" : "failed";
    built.seconds = SecondsSince(start);
    built.start = SecondsSince(begin_) - built.seconds;
    built.bytes = made.ok() ? static_cast<int64_t>(made->bytes) : 0;
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
    RETURN_IF_ERROR(NameDiff(node, made->layer, built));
    return Record(step, *made, listings, SecondsSince(start));
  }

  // --- several commands in one sandbox -----------------------------------

  void MarkDone(size_t step) {
    std::lock_guard lock(mutex_);
    states_[step] = State::kDone;
  }

  absl::Status DoGroup(const std::vector<size_t>& group) {
    std::vector<Digest> keys = NameUnmade(plan_, group, results_);
    ASSIGN_OR_RETURN(UniqueFd lock, store_.Lock(keys.back()));
    // Another build may have finished some of them since the plan was made.
    bool may_hit = MayUseCache(plan_.options, Node(group[0]));
    for (size_t i = group.size(); may_hit && i-- > 0;) {
      ASSIGN_OR_RETURN(auto record, store_.FindStep(keys[i]));
      if (record.has_value()) {
        return UseGroup(group, i, *record);
      }
    }
    return RunGroup(group, keys);
  }

  // The steps up to `last` are cached as one.
  absl::Status UseGroup(const std::vector<size_t>& group, size_t last,
                        const StepRecord& record) {
    for (size_t i = 0; i <= last; ++i) {
      StepRecord unmade;
      unmade.created = record.created;
      RETURN_IF_ERROR(UseRecord(group[i], i < last ? unmade : record));
      MarkDone(group[i]);
    }
    if (last + 1 < group.size()) {
      RETURN_IF_ERROR(DoStep(group[last + 1]));
      MarkDone(group[last + 1]);
    }
    return absl::OkStatus();
  }

  absl::Status RunGroup(const std::vector<size_t>& group,
                        const std::vector<Digest>& keys) {
    using Clock = std::chrono::steady_clock;
    std::vector<ir::NodeId> ids;
    for (size_t step : group) {
      ids.push_back(plan_.steps[step].node);
    }
    std::vector<Clock::time_point> starts;
    std::vector<double> seconds;
    auto finish = [&](bool good) {
      size_t step = group[starts.size() - 1];
      seconds.push_back(SecondsSince(starts.back()));
      Report(good ? BuildEvent::Kind::kFinished : BuildEvent::Kind::kFailed,
             step, seconds.back());
      std::lock_guard lock(mutex_);
      states_[step] = State::kDone;
      ++result_.steps_run;
    };
    RunEvents events;
    events.on_start = [&](size_t position) {
      if (position > 0) {
        finish(true);
      }
      starts.push_back(Clock::now());
      Report(BuildEvent::Kind::kStarted, group[position]);
    };
    events.on_output = [&](size_t position, absl::string_view bytes) {
      if (!bytes.empty()) {
        Report(BuildEvent::Kind::kOutput, group[position], 0, bytes);
      }
    };
    std::vector<CopyListing> none;
    absl::StatusOr<MadeLayer> made = maker_.MakeRuns(ids, none, events);
    bool good = made.ok() && !made->failure.has_value();
    if (!starts.empty()) {
      finish(good);
    }
    if (good) {
      return RecordGroup(group, keys, *made, seconds);
    }
    size_t failed = group[std::max<size_t>(starts.size(), 1) - 1];
    StepFailure failure;
    failure.step_number = static_cast<int>(group[0]) + 1;
    if (made.ok()) {
      failure.result = *made->failure;
      failure.last_output = made->last_output;
    } else if (IsUsers(Node(failed).op, made.status())) {
      failure.message = std::string(made.status().message());
    } else {
      return made.status();
    }
    std::lock_guard lock(mutex_);
    Fail(failed, std::move(failure));
    return absl::OkStatus();
  }

  // The last step of the group has the layer. The others leave what a later
  // plan tells of them, under keys that nobody looks up.
  absl::Status RecordGroup(const std::vector<size_t>& group,
                           const std::vector<Digest>& keys,
                           const MadeLayer& made,
                           const std::vector<double>& seconds) {
    NodeResult below = results_[Node(group[0]).inputs[0].index];
    for (size_t i = 0; i < group.size(); ++i) {
      const Step& step = plan_.steps[group[i]];
      bool last = i + 1 == group.size();
      StepRecord record;
      record.key = last ? keys[i] : results_[step.node.index].chain;
      record.layer = last ? made.layer : std::nullopt;
      record.seconds = seconds[i];
      record.created = maker_.Now();
      record.name = step.name;
      record.inputs = StepInputs(plan_.graph, Node(group[i]), results_, {});
      RETURN_IF_ERROR(store_.AddStep(record));
      made_[step.node.index] = {record.layer, record.created};
      if (last) {
        Keep(std::move(record));
      }
    }
    for (size_t step : group) {
      results_[plan_.steps[step].node.index] = below;
    }
    ASSIGN_OR_RETURN(results_[plan_.steps[group.back()].node.index],
                     ResultAfter(below, made.layer, store_));
    return absl::OkStatus();
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

  const Plan& plan_;
  Store& store_;
  const ExecuteOptions& options_;
  const BuildEvents& events_;
  std::vector<NodeResult> results_;  // Each written by one step only.
  std::vector<MadeStep> made_;
  std::vector<double> remaining_;  // Of each step, with all that follow.
  std::vector<size_t> step_of_node_;
  std::chrono::steady_clock::time_point begin_;
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
