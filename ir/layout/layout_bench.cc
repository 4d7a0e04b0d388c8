// Prints how long the chain programme takes: `layout_bench [STEPS [EVENTS
// [LAYERS]]]`.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ir/layout/chain.h"

namespace lamina::ir {
namespace {

// A repeatable stream of numbers.
class Numbers {
 public:
  uint32_t Next(uint32_t below) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<uint32_t>(state_ >> 33) % below;
  }

 private:
  uint64_t state_ = 1;
};

// Steps that write files in folders four deep, some of them again.
Trace MakeTrace(int steps, int events) {
  Numbers numbers;
  Trace trace;
  trace.steps.resize(steps);
  for (int step = 0; step < steps; ++step) {
    PathStates states;
    while (static_cast<int>(states.size()) < events / steps) {
      std::string path =
          absl::StrCat("usr/lib/package-", numbers.Next(400), "/module",
                       numbers.Next(20), "/file-", numbers.Next(20), ".py");
      states[path] = {.mode = 0644,
                      .body = absl::StrCat("sha256:", numbers.Next(1 << 30)),
                      .size = numbers.Next(100000)};
    }
    for (const auto& [path, state] : states) {
      trace.steps[step].events.push_back({path, state});
    }
  }
  for (int epoch = 0; epoch < 64; ++epoch) {
    int first = 1 + static_cast<int>(numbers.Next(steps));
    std::vector<int> changed(steps - first + 1);
    std::iota(changed.begin(), changed.end(), first);
    trace.epochs.push_back({1, changed});
  }
  return trace;
}

// Time of this process alone, so that a busy machine does not count.
double CpuMilliseconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 +
         static_cast<double>(now.tv_nsec) / 1e6;
}

class Clock {
 public:
  void Lap(const char* what) {
    auto now = std::chrono::steady_clock::now();
    std::chrono::duration<double, std::milli> time = now - last_;
    double cpu = CpuMilliseconds();
    printf("%-12s %7.1f ms (CPU %.1f ms)\n", what, time.count(), cpu - cpu_);
    last_ = now;
    cpu_ = cpu;
  }

 private:
  std::chrono::steady_clock::time_point last_ =
      std::chrono::steady_clock::now();
  double cpu_ = CpuMilliseconds();
};

int Measure(int steps, int events, int limit) {
  Trace trace = MakeTrace(steps, events);
  std::vector<int> ends(steps);
  std::iota(ends.begin(), ends.end(), 1);
  Clock clock;
  absl::StatusOr<PathHistories> histories = PathHistories::Collect(trace, ends);
  clock.Lap("histories");
  if (!histories.ok()) {
    fprintf(stderr, "%s\n", histories.status().ToString().c_str());
    return 1;
  }
  ChainCost cost(*histories, trace.epochs, ends, {},
                 std::vector<std::string>());
  clock.Lap("segments");
  ChainRules rules = {std::vector<bool>(steps + 1),
                      std::vector<bool>(steps + 1)};
  ChainProgramme programme(cost, rules, limit);
  std::optional<ChainPlan> best = programme.Best(limit);
  clock.Lap("programme");
  printf("%d paths, best %d layers\n", histories->size(),
         best ? best->layers : 0);
  return 0;
}

}  // namespace
}  // namespace lamina::ir

int main(int argc, char** argv) {
  int steps = argc > 1 ? atoi(argv[1]) : 500;
  int events = argc > 2 ? atoi(argv[2]) : 100000;
  return lamina::ir::Measure(steps, events, argc > 3 ? atoi(argv[3]) : steps);
}
