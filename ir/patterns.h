// Path patterns: Go's filepath.Match, and the patterns of ignore files
// (dockerfile.md 10.1 and 13.1). No regular expressions, no backtracking
// beyond one pattern part: the time is at most pattern times name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "base/source.h"

namespace lamina::ir {

// True if the pattern has one of `*?[\`.
bool HasWildcard(absl::string_view pattern);
// The pattern that matches `text` alone.
std::string EscapeWildcards(absl::string_view text);

// Go's filepath.Match of the whole name; `*` and `?` never match a slash. A
// malformed pattern is an error: "syntax error in pattern".
absl::StatusOr<bool> MatchWildcard(absl::string_view pattern,
                                   absl::string_view name);

// What one folder remembers of the patterns that matched it (13.1, "Deciding,
// while walking down"). The root's memory is the default value.
struct IgnoreMemory {
  std::vector<bool> matched;
};

// One piece of an ignore-file pattern, which matches by code points.
struct PatternPart {
  enum class Kind {
    kCharacter,
    kAnyCharacter,  // `?`
    kClass,         // `[a-z]`
    kStar,          // `*`
    kFolders,       // `**` before more: nothing, or anything up to a slash.
    kAnything,      // `**` at the end.
  };
  Kind kind = Kind::kCharacter;
  bool negated = false;
  std::vector<std::pair<char32_t, char32_t>> ranges;  // First and last.
};

// The parts of a pattern whose syntax MatchWildcard has accepted.
std::vector<PatternPart> ReadPatternParts(absl::string_view pattern);
// `parts` are those of `pattern`.
bool MatchPatternParts(absl::string_view pattern,
                       const std::vector<PatternPart>& parts,
                       absl::string_view path);

class IgnoreMatcher {
 public:
  // One pattern a line, cleaned as an ignore file is: comments, blanks, `!`.
  // Every mistake of the file is reported; its line is then no pattern.
  static IgnoreMatcher ParseFile(const SourceFile& file,
                                 Diagnostics& diagnostics);
  // Patterns as they are (--exclude).
  static absl::StatusOr<IgnoreMatcher> Create(
      const std::vector<std::string>& patterns);
  IgnoreMatcher() = default;  // Ignores nothing.

  bool empty() const { return patterns_.empty(); }
  // Whether a pattern brings files back (`!`).
  bool has_exclusions() const { return has_exclusions_; }
  // Whether one of `*`, `**` and `**/*` is among the patterns.
  bool NamesEverything() const;
  // Whether `path` (relative, clean) is ignored, given its parent's memory;
  // fills in what its children must know.
  bool Ignored(absl::string_view path, const IgnoreMemory& parent,
               IgnoreMemory& memory) const;
  // False if nothing below the ignored folder `path` can be re-included, so
  // that it need not be entered.
  bool MustEnter(absl::string_view path) const;

 private:
  struct Pattern {
    std::string text;
    bool exclusion = false;
    std::vector<PatternPart> parts;
  };
  absl::Status Add(absl::string_view line);
  bool Matches(const Pattern& pattern, absl::string_view path,
               bool ancestors_too) const;

  std::vector<Pattern> patterns_;
  bool has_exclusions_ = false;
};

// One ignore-file pattern (no `!`) against one whole path.
bool MatchIgnorePattern(absl::string_view pattern, absl::string_view path);

}  // namespace lamina::ir
