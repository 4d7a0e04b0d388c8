// How long a plan will take: a list schedule of expected seconds.
#include <algorithm>

#include "backend/make_report.h"
#include "base/status.h"

namespace lamina::backend {

double ScheduleSeconds(const std::vector<double>& seconds,
                       const std::vector<std::vector<int>>& inputs, int jobs,
                       std::vector<int>* path) {
  size_t count = seconds.size();
  // The longest way from a step's begin to the end of the build.
  std::vector<double> behind(seconds);
  std::vector<int> next(count, -1);
  for (size_t i = count; i-- > 0;) {
    for (int input : inputs[i]) {
      if (behind[i] + seconds[input] > behind[input] || next[input] < 0) {
        behind[input] = std::max(behind[input], behind[i] + seconds[input]);
        next[input] = static_cast<int>(i);
      }
    }
  }
  if (path != nullptr && count > 0) {
    path->clear();
    int at = static_cast<int>(
        std::max_element(behind.begin(), behind.end()) - behind.begin());
    for (; at >= 0; at = next[at]) {
      path->push_back(at);
    }
  }
  std::vector<double> ends(count, -1);
  std::vector<double> workers(std::max(jobs, 1), 0);
  for (size_t done = 0; done < count; ++done) {
    auto worker = std::min_element(workers.begin(), workers.end());
    int chosen = -1;
    double chosen_start = 0;
    for (size_t i = 0; i < count; ++i) {
      double start = *worker;
      bool ready = ends[i] < 0;
      for (int input : inputs[i]) {
        ready = ready && ends[input] >= 0;
        start = std::max(start, ends[input]);
      }
      bool better = chosen < 0 || start < chosen_start ||
                    (start == chosen_start && behind[i] > behind[chosen]);
      if (ready && better) {
        chosen = static_cast<int>(i);
        chosen_start = start;
      }
    }
    CHECK(chosen >= 0);
    ends[chosen] = chosen_start + seconds[chosen];
    *worker = ends[chosen];
  }
  return count == 0 ? 0 : *std::max_element(ends.begin(), ends.end());
}

}  // namespace lamina::backend
