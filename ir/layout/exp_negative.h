// exp(-x) in integers, the same bits on every machine (optimiser.md 6.2).
#pragma once

#include <cstdint>

namespace lamina::ir {

// 2^32 exp(-x / 2^32), within a few units; 0 from x = 2^37 on.
uint64_t ExpNegative(uint64_t x);

}  // namespace lamina::ir
