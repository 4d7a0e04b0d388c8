// Prints how long one step takes, by the number of layers below it.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "runtime/sandbox.h"

namespace lamina::runtime {
namespace {

constexpr int kRuns = 200;

int Measure(Sandbox& sandbox, const std::string& folder, int layers) {
  SandboxSpec spec;
  spec.lower_base = folder;
  for (int layer = 0; layer < layers; ++layer) {
    std::string name = absl::StrCat("l", layer);
    mkdir(JoinPath(folder, name).c_str(), 0755);
    spec.lowers.push_back(name);
  }
  spec.upper = JoinPath(folder, "upper");
  spec.work = JoinPath(folder, "work");
  mkdir(spec.upper.c_str(), 0755);
  mkdir(spec.work.c_str(), 0755);
  spec.lowers.back() = "base";
  spec.args = {"/bin/busybox", "true"};
  double best = 1e9;
  double sum = 0;
  for (int run = 0; run < kRuns; ++run) {
    auto begin = std::chrono::steady_clock::now();
    auto result = sandbox.Run(spec, [](int, absl::string_view) {});
    std::chrono::duration<double, std::milli> took =
        std::chrono::steady_clock::now() - begin;
    if (!result.ok() || result->exit_code != 0) {
      fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
      return 1;
    }
    best = std::min(best, took.count());
    sum += took.count();
  }
  printf("%4d layers: mean %.2f ms, best %.2f ms\n", layers, sum / kRuns, best);
  return 0;
}

int Main() {
  auto folder = TempDir::Create();
  if (!folder.ok()) {
    return 1;
  }
  std::string bin = JoinPath(folder->path(), "base/bin");
  if (!MakeDirs(bin).ok() ||
      system(absl::StrCat("cp /bin/busybox ", bin).c_str()) != 0) {
    return 1;
  }
  auto sandbox = MakeKernelSandbox();
  for (int layers : {1, 100, 400}) {
    if (Measure(*sandbox, folder->path(), layers) != 0) {
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace lamina::runtime

int main() { return lamina::runtime::Main(); }
