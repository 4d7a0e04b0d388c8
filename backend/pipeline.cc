#include "backend/pipeline.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "base/status.h"

namespace lamina::backend {
namespace {

class Pipeline {
 public:
  Pipeline(const std::vector<Stage>& stages, size_t chunks)
      : stages_(stages), lanes_(stages.size()), slots_(chunks) {
    for (Slot& slot : slots_) {
      slot.chunk.bytes = std::make_unique<char[]>(kChunkSize);
    }
  }

  absl::Status Run(int threads) {
    std::vector<std::thread> helpers;
    for (int i = 1; i < threads; ++i) {
      helpers.emplace_back([this] { Work(); });
    }
    Work();
    for (std::thread& helper : helpers) {
      helper.join();
    }
    return status_;
  }

 private:
  struct Slot {
    Chunk chunk;
    size_t stage = 0;  // The stage it waits for, or is in.
  };
  struct Lane {
    uint64_t next = 0;  // Number of the chunk that enters next.
    bool busy = false;
  };
  struct Job {
    size_t stage;
    Slot* slot;
  };

  // The stage nearest to the exit first: that frees chunks soonest.
  std::optional<Job> FindJob() {
    for (size_t stage = stages_.size(); stage-- > 0;) {
      Lane& lane = lanes_[stage];
      Slot& slot = slots_[lane.next % slots_.size()];
      bool ready = slot.stage == stage && lane.next < limit_ &&
                   (stage == 0 ? lane.next < through_ + slots_.size()
                               : lane.next < lanes_[stage - 1].next);
      if (ready && !(stages_[stage].serial && lane.busy)) {
        ++lane.next;
        lane.busy = true;
        return Job{stage, &slot};
      }
    }
    return std::nullopt;
  }

  bool Finished() const { return !status_.ok() || through_ == limit_; }

  void Work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!Finished()) {
      std::optional<Job> job = FindJob();
      if (!job.has_value()) {
        changed_.wait(lock);
        continue;
      }
      // Entering a stage hides the chunk from the other threads.
      job->slot->stage = kInside;
      lock.unlock();
      absl::Status status = stages_[job->stage].run(job->slot->chunk);
      lock.lock();
      Leave(*job, status);
      changed_.notify_all();
    }
  }

  void Leave(const Job& job, const absl::Status& status) {
    Lane& lane = lanes_[job.stage];
    lane.busy = false;
    status_.Update(status);
    job.slot->stage = job.stage + 1;
    if (job.stage == 0 && job.slot->chunk.last) {
      limit_ = lane.next;
    }
    if (job.stage + 1 == stages_.size()) {
      job.slot->stage = 0;
      ++through_;
    }
  }

  static constexpr size_t kInside = SIZE_MAX;

  const std::vector<Stage>& stages_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Lane> lanes_;
  std::vector<Slot> slots_;
  uint64_t through_ = 0;         // Chunks that left the last stage.
  uint64_t limit_ = UINT64_MAX;  // How many there are, once known.
  absl::Status status_;          // The first failure.
};

}  // namespace

absl::Status RunPipeline(const std::vector<Stage>& stages, int threads,
                         size_t chunks) {
  CHECK(!stages.empty() && stages.front().serial && stages.back().serial);
  return Pipeline(stages, chunks).Run(threads);
}

}  // namespace lamina::backend
