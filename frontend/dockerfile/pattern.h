// The patterns of ${v#p}, ${v%p} and ${v/p/r} (dockerfile.md 6.2).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lamina::frontend {

// `text` in UTF-8 characters; a byte that is not UTF-8 stands for itself.
std::vector<absl::string_view> SplitCharacters(absl::string_view text);

// A compiled pattern. Matching takes time in the order of pattern times text.
class SubstitutionPattern {
 public:
  // Errors: "invalid escape '\x'".
  static absl::StatusOr<SubstitutionPattern> Compile(absl::string_view text);

  // `value` without its shortest or longest prefix or suffix that matches.
  std::string DropPrefix(absl::string_view value, bool longest) const;
  std::string DropSuffix(absl::string_view value, bool longest) const;
  // The first or every match, each as long as possible, replaced literally.
  std::string Replace(absl::string_view value, absl::string_view replacement,
                      bool all) const;

 private:
  struct Token {
    enum class Kind { kLiteral, kOne, kMany };
    Kind kind = Kind::kLiteral;
    std::string text;
  };
  using Characters = std::vector<absl::string_view>;

  // One past the end of the match that begins at `start`, or npos.
  size_t MatchAt(const Characters& text, size_t start, bool longest) const;

  std::vector<Token> tokens_;
};

}  // namespace lamina::frontend
