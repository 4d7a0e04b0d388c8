// A guess with its range and where it comes from (optimiser.md 7).
#pragma once

#include <optional>
#include <string>

namespace lamina::backend {

// Between the tenth and the ninetieth percentile; unknown without a value.
struct Estimate {
  std::optional<double> mean;
  double low = 0;
  double high = 0;
  bool exact = false;  // Measured or read, not guessed.
  std::string source;  // "recorded", "context", "last 3 builds", "unknown".
};

}  // namespace lamina::backend
