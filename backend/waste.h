// Bytes that an image stores and no container ever sees: overwritten, deleted
// or written again by later layers (optimiser.md 1 and 9.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "backend/plan_report.h"
#include "ir/layout/step_diff.h"

namespace lamina::backend {

enum class WasteCause {
  kOverwritten,  // Another content stands there now.
  kDeleted,
  kMetadata,  // The same content, written again: only mode, owner, time or
              // xattrs changed.
};

absl::string_view WasteCauseName(WasteCause cause);  // "overwritten", ...

struct WasteLayer {
  const ir::StepDiff* diff = nullptr;  // Not null; lives as long as the call.
  std::string instruction;             // What wrote it, as history has it.
  bool own = true;  // Whoever reads the advice can change the instruction.
};

// What one layer wrote and another one made dead, for one cause.
struct Waste {
  struct Path {
    std::string path;
    uint64_t bytes = 0;
  };

  size_t layer = 0;  // Positions in the input.
  size_t guilty = 0;
  WasteCause cause = WasteCause::kDeleted;
  uint64_t bytes = 0;         // Contents of files; never 0.
  uint64_t count = 0;         // Files.
  std::vector<Path> largest;  // At most five, the largest first.
  std::string advice;         // What to write instead; one sentence.
};

struct WasteReport {
  struct LayerBytes {
    uint64_t stored = 0;  // Contents of files,
    uint64_t dead = 0;    // and of those that nobody sees.
  };

  std::vector<Waste> rows;  // The most bytes first.
  std::vector<LayerBytes> layers;
};

// `layers` bottom to top, from the first one of the image on. Two files hold
// the same when both digests are known and equal: an unknown one counts as
// another content.
WasteReport FindWaste(const std::vector<WasteLayer>& layers);

// Live bytes of the layers that `counts` marks, of all their bytes; 1 when
// they have none.
double LiveShare(const WasteReport& report, const std::vector<bool>& counts);

// As the plan prints them; `steps` has the number of the step of each layer.
std::vector<WasteRow> WasteRows(const WasteReport& report,
                                const std::vector<int>& steps);

}  // namespace lamina::backend
