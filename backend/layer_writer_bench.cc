// Prints how fast layers are written: `layer_writer_bench FOLDER [THREADS]`.
// Run it twice; the first run fills the page cache.
#include <fcntl.h>
#include <ftw.h>

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "backend/layer_writer.h"

namespace lamina::backend {
namespace {

ir::StepDiff* g_diff;  // nftw has no argument of ours.
size_t g_root_size;

int AddEntry(const char* path, const struct stat* info, int, FTW*) {
  if (S_ISREG(info->st_mode) || S_ISDIR(info->st_mode)) {
    g_diff->entries.push_back({.path = std::string(path).substr(g_root_size),
                               .type = S_ISREG(info->st_mode)
                                           ? ir::EntryType::kFile
                                           : ir::EntryType::kDirectory,
                               .mode = info->st_mode & 07777,
                               .mtime = info->st_mtime,
                               .size = static_cast<uint64_t>(info->st_size)});
    if (!g_diff->entries.back().path.empty()) {
      g_diff->entries.back().path.erase(0, 1);
    }
  }
  return 0;
}

double CpuSeconds() {
  rusage use = {};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

int Measure(const std::string& root, int threads) {
  ir::StepDiff diff;
  g_diff = &diff;
  g_root_size = root.size();
  nftw(root.c_str(), AddEntry, 64, FTW_PHYS);
  ir::SortEntries(diff);
  absl::StatusOr<UniqueFd> folder = OpenFile(root, O_PATH | O_DIRECTORY);
  absl::StatusOr<TempDir> out = TempDir::Create();
  if (!folder.ok() || !out.ok()) {
    fprintf(stderr, "cannot open %s\n", root.c_str());
    return 1;
  }
  for (Compression compression :
       {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    double cpu = CpuSeconds();
    auto start = std::chrono::steady_clock::now();
    absl::StatusOr<LayerBlob> blob = WriteLayer(
        diff,
        [&folder](const ir::Entry& entry) {
          return OpenBeneath(folder->get(), entry.path, O_RDONLY);
        },
        {.compression = compression, .threads = threads},
        out->path() + "/" + std::string(CompressionName(compression)));
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    if (!blob.ok()) {
      fprintf(stderr, "%s\n", blob.status().ToString().c_str());
      return 1;
    }
    printf(
        "%-4s %zu entries, %.1f MB -> %.1f MB in %.2f s (CPU %.2f s): %.0f "
        "MB/s\n",
        std::string(CompressionName(compression)).c_str(), diff.entries.size(),
        blob->tar_size / 1e6, blob->size / 1e6, time.count(),
        CpuSeconds() - cpu, blob->tar_size / 1e6 / time.count());
  }
  return 0;
}

}  // namespace
}  // namespace lamina::backend

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: layer_writer_bench FOLDER [THREADS]\n");
    return 2;
  }
  return lamina::backend::Measure(argv[1], argc > 2 ? atoi(argv[2]) : 2);
}
