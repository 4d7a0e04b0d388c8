// What to write instead of instructions that waste bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "backend/waste.h"

namespace lamina::backend {

// Where wasted files lie, in the order of the table of waste_advice.cc.
inline constexpr size_t kWasteKinds = 12;
// The first row of the table that knows `path`; kWasteKinds: none does.
size_t WasteKindOf(absl::string_view path);

struct WasteFacts {
  WasteCause cause = WasteCause::kDeleted;
  absl::string_view writer, guilty;  // Instructions.
  bool writer_is_own = true;
  uint64_t bytes = 0;
  uint64_t moved = 0;           // Of them, found again at another path.
  std::vector<uint64_t> kinds;  // Bytes by WasteKindOf; kWasteKinds + 1.
};

std::string WasteAdvice(const WasteFacts& facts);

}  // namespace lamina::backend
