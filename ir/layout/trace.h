// Step-diff traces: what each step of a target's chain wrote and deleted, as
// numbers and paths. All that the planners know of a build (no bytes, no
// store), and the format in which it can be written down.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/layout/step_diff.h"

namespace lamina::ir {

// What a path is after a step. Two equal states make no layer entry.
struct PathState {
  EntryType type = EntryType::kFile;  // f d l c b p only.
  uint32_t mode = 0;                  // 07777 only.
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime = 0;  // Seconds since the epoch, after the clamp.
  // f: any text that is equal exactly for equal bytes, "sha256:..." where it is
  // known; l: the target; c, b: "major:minor"; else empty.
  std::string body;
  // Names an inode: all names of one inode carry the same text in one step,
  // and no other step uses it again. Empty: one name only.
  std::string link;
  std::map<std::string, std::string> xattrs;  // By name, raw bytes.
  uint64_t size = 0;  // f: bytes that a layer stores for it, compressed where
                      // that is known. No part of the state's identity.

  // Whether two states make no entry: `size` does not count.
  bool SameAs(const PathState& other) const;
  friend bool operator==(const PathState&, const PathState&) = default;
};

// All paths of a tree; the root has no record.
using PathStates = std::map<std::string, PathState, PathLess>;

struct PathEvent {
  friend bool operator==(const PathEvent&, const PathEvent&) = default;

  std::string path;
  std::optional<PathState> state;  // None: deleted, with all below it.
};

struct TraceStep {
  friend bool operator==(const TraceStep&, const TraceStep&) = default;

  std::string kind;  // "run", "copy", "add", "workdir".
  int line = 0;      // In the build file, from 1; 0 is unknown.
  std::string text;
  double ms = 0;
  // All deletions first, then the puts in entry order (PathLess).
  std::vector<PathEvent> events;
};

// One past or assumed change of the build's result.
struct Epoch {
  friend bool operator==(const Epoch&, const Epoch&) = default;

  int64_t weight = 1;
  std::vector<int> steps;  // Whose content changed; from 1, ascending.
};

// A position after step `step` (0 < step < n) where a layer must or must not
// end.
struct CutRule {
  friend bool operator==(const CutRule&, const CutRule&) = default;

  int step = 0;
  bool forced = true;
  std::string why;
};

struct Trace {
  friend bool operator==(const Trace&, const Trace&) = default;

  std::string name;
  int base_layers = 0;
  std::optional<int> budget;     // Own layers at the most.
  std::vector<PathEvent> base;   // Of S_0; what no step touches may lack.
  std::vector<TraceStep> steps;  // Step i is steps[i - 1].
  std::vector<Epoch> epochs;
  std::vector<CutRule> cuts;
};

inline constexpr int kTraceVersion = 1;

// JSON Lines, one object a line; several traces in one text, each opened by its
// `trace` record (optimiser.md 9.4). Unknown keys are ignored, texts that are
// not UTF-8 stand in hex under KEY_hex. Errors begin with `line N: `: no JSON,
// an unknown record, a wrong count of events (a cut-off file), a path that is
// not clean or is put twice in one step, a step out of range, contradictory
// cuts.
absl::StatusOr<std::vector<Trace>> ParseTraces(absl::string_view text);
// ParseTraces reads it back to an equal trace.
std::string PrintTrace(const Trace& trace);

// Applies the events of one step to a tree; deletions first.
void ApplyEvents(const std::vector<PathEvent>& events, PathStates& states);

}  // namespace lamina::ir
