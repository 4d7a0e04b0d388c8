// What happens during a build, for whoever shows it.
#pragma once

#include <functional>
#include <string>

namespace lamina::backend {

struct BuildEvent {
  enum class Kind { kStarted, kOutput, kFinished, kCached, kFailed, kNotReached };
  Kind kind = Kind::kStarted;
  int number = 0;  // From 1, in the stage.
  int total = 0;   // Steps of the stage.
  std::string stage;
  std::string text;    // The instruction.
  std::string output;  // kOutput: raw bytes.
  double seconds = 0;  // kFinished, kFailed.
};

using BuildEvents = std::function<void(const BuildEvent&)>;

}  // namespace lamina::backend
