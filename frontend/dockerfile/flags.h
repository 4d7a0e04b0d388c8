// Builder flags: `--name=value` in front of the arguments (dockerfile.md 3).
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/diagnostic.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

enum class FlagKind { kString, kList, kBool };

struct FlagSpec {
  absl::string_view name;
  FlagKind kind = FlagKind::kString;
};

// Reports unknown and repeated flags, and values that do not fit.
void CheckFlags(const grammar::Statement& statement,
                absl::Span<const FlagSpec> known, Diagnostics& diagnostics);

// The flag, or null. What follows is for statements whose flags are in order.
const grammar::Flag* FindFlag(const grammar::Statement& statement,
                              absl::string_view name);
std::string FlagText(const grammar::Statement& statement,
                     absl::string_view name);
std::vector<std::string> FlagList(const grammar::Statement& statement,
                                  absl::string_view name);
bool FlagIsTrue(const grammar::Statement& statement, absl::string_view name,
                bool otherwise = false);

// Where the `--name` of a flag stands, and a part of its value. A value that
// was quoted, or that a trigger holds, is marked as a whole.
SourceRange NameRange(const grammar::Flag& flag);
SourceRange ValuePart(const grammar::Flag& flag, SourceRange part);

// `; did you mean x?`, or nothing when no candidate is near.
std::string DidYouMean(absl::string_view word,
                       const std::vector<std::string>& candidates);

// A word that is none of a few known ones.
struct UnknownWord {
  absl::string_view code;
  SourceRange range;
  std::string message;
  std::string word;
  std::vector<std::string> candidates;
  std::string otherwise;  // The hint when no candidate is near.
};

// Reports it with the nearest candidate as hint and as fix.
void ReportUnknown(const UnknownWord& unknown, Diagnostics& diagnostics);

// "a, b or c".
std::string Choices(const std::vector<std::string>& words);

}  // namespace lamina::frontend
