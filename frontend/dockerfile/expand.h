// Variables and the expansion of words (dockerfile.md 6).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina::frontend {

// Names and values, in the order of their first assignment.
class Variables {
 public:
  // Null when the name is unset.
  const std::string* Find(absl::string_view name) const;
  // A known name keeps its place.
  void Set(absl::string_view name, absl::string_view value);
  const std::vector<std::pair<std::string, std::string>>& all() const {
    return values_;
  }
  // An unknown base may have set more names: one that must be set is then not
  // missed.
  void SetIncomplete() { complete_ = false; }
  bool complete() const { return complete_; }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
  bool complete_ = true;
};

// The names that an expansion looked up, each once, in the order of their use.
struct UsedNames {
  std::vector<std::string> set;
  std::vector<std::string> unset;
};

// The value of one word. Errors: `failed to process "<word>": <cause>`. Bytes
// that are not UTF-8 become U+FFFD. `names` may be null.
absl::StatusOr<std::string> ExpandWord(absl::string_view word, char escape,
                                       const Variables& variables,
                                       UsedNames* names = nullptr);

// The same, but values that are not quoted are split at white space, and empty
// words vanish (EXPOSE).
absl::StatusOr<std::vector<std::string>> ExpandAndSplit(
    absl::string_view word, char escape, const Variables& variables);

// The body of a COPY or ADD heredoc: quotes are ordinary characters.
absl::StatusOr<std::string> ExpandHeredoc(absl::string_view body,
                                          const Variables& variables,
                                          UsedNames* names = nullptr);

// What to do about a word that cannot be expanded: "; ...", or nothing.
std::string ExpansionHint(absl::string_view message);

}  // namespace lamina::frontend
