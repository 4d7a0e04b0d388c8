// Shell completion: candidates for the last of some words.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lamina::cli {

// The hidden command that the shell's script calls with the words so far.
inline constexpr absl::string_view kCompleteCommand = "__complete";

// One candidate a line, with a tab and a description where there is one. Never
// creates a store and never fails: no candidates is an answer.
std::string CompletionCandidates(const std::vector<std::string>& words);

// The script for bash.
absl::string_view BashCompletionScript();

}  // namespace lamina::cli
