#include "ir/patterns.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

constexpr char32_t kBadCharacter = 0xFFFD;

absl::Status SyntaxError() {
  return absl::InvalidArgumentError("syntax error in pattern");
}

// Go's utf8.DecodeRune: takes one character off `text`, which is not empty. A
// byte that is no UTF-8 gives U+FFFD; `valid` tells it from a real U+FFFD.
char32_t TakeCharacter(absl::string_view& text, bool* valid = nullptr) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  uint32_t lead = byte(0);
  size_t length = lead < 0x80    ? 1
                  : lead >= 0xF0 ? 4
                  : lead >= 0xE0 ? 3
                  : lead >= 0xC2 ? 2
                                 : 0;
  bool good = length > 0 && lead <= 0xF4 && text.size() >= length;
  char32_t value = length <= 1 ? lead : lead & (0xFFu >> (length + 1));
  for (size_t i = 1; good && i < length; ++i) {
    good = (byte(i) & 0xC0) == 0x80;
    value = (value << 6) | (byte(i) & 0x3F);
  }
  static constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  good = good && value >= kLeast[length] && value <= 0x10FFFF &&
         (value < 0xD800 || value > 0xDFFF);
  if (valid != nullptr) {
    *valid = good;
  }
  text.remove_prefix(good ? length : 1);
  return good ? value : kBadCharacter;
}

// Go's getEsc: one end of a range inside a class. Something must follow.
absl::StatusOr<char32_t> TakeRangeEnd(absl::string_view& pattern) {
  if (pattern.empty() || pattern[0] == '-' || pattern[0] == ']') {
    return SyntaxError();
  }
  if (pattern[0] == '\\') {
    pattern.remove_prefix(1);
  }
  if (pattern.empty()) {
    return SyntaxError();
  }
  bool valid = true;
  char32_t character = TakeCharacter(pattern, &valid);
  if (!valid || pattern.empty()) {
    return SyntaxError();
  }
  return character;
}

// Reads a class whose `[` is gone, up to and with its `]`.
absl::StatusOr<PatternPart> TakeClass(absl::string_view& pattern) {
  PatternPart part = {.kind = PatternPart::Kind::kClass};
  if (!pattern.empty() && pattern[0] == '^') {
    part.negated = true;
    pattern.remove_prefix(1);
  }
  while (part.ranges.empty() || pattern[0] != ']') {
    ASSIGN_OR_RETURN(char32_t low, TakeRangeEnd(pattern));
    char32_t high = low;
    if (pattern[0] == '-') {
      pattern.remove_prefix(1);
      ASSIGN_OR_RETURN(high, TakeRangeEnd(pattern));
    }
    part.ranges.emplace_back(low, high);
  }
  pattern.remove_prefix(1);
  return part;
}

bool InClass(const PatternPart& part, char32_t character) {
  bool inside = std::any_of(
      part.ranges.begin(), part.ranges.end(), [character](const auto& range) {
        return range.first <= character && character <= range.second;
      });
  return inside != part.negated;
}

// What stands between two stars of a wildcard, and the rest after it.
struct Chunk {
  bool star = false;
  absl::string_view text;
};

Chunk TakeChunk(absl::string_view& pattern) {
  Chunk chunk;
  while (!pattern.empty() && pattern[0] == '*') {
    pattern.remove_prefix(1);
    chunk.star = true;
  }
  bool in_class = false;
  size_t end = 0;
  for (; end < pattern.size(); ++end) {
    char c = pattern[end];
    if (c == '\\' && end + 1 < pattern.size()) {
      ++end;
    } else if (c == '[' || c == ']') {
      in_class = c == '[';
    } else if (c == '*' && !in_class) {
      break;
    }
  }
  chunk.text = pattern.substr(0, end);
  pattern.remove_prefix(end);
  return chunk;
}

// Takes what `chunk` matches off `name`; false if it does not. The whole chunk
// is read even then, because bad syntax must not go unseen.
absl::StatusOr<bool> TakeMatch(absl::string_view chunk,
                               absl::string_view& name) {
  bool failed = false;
  while (!chunk.empty()) {
    failed = failed || name.empty();
    char c = chunk[0];
    chunk.remove_prefix(1);
    if (c == '[') {
      ASSIGN_OR_RETURN(PatternPart part, TakeClass(chunk));
      failed = failed || !InClass(part, TakeCharacter(name));
      continue;
    }
    if (c == '?') {
      failed = failed || name[0] == '/';
      if (!failed) {
        TakeCharacter(name);
      }
      continue;
    }
    if (c == '\\') {
      if (chunk.empty()) {
        return SyntaxError();
      }
      c = chunk[0];
      chunk.remove_prefix(1);
    }
    failed = failed || name[0] != c;
    if (!failed) {
      name.remove_prefix(1);
    }
  }
  return !failed;
}

// Moves `name` behind the first place where `chunk` matches. The last chunk
// must reach the end.
absl::StatusOr<bool> FindChunk(const Chunk& chunk, bool last,
                               absl::string_view& name) {
  for (size_t skip = 0; skip <= name.size(); ++skip) {
    if (skip > 0 && (!chunk.star || name[skip - 1] == '/')) {
      return false;
    }
    absl::string_view rest = name.substr(skip);
    ASSIGN_OR_RETURN(bool matched, TakeMatch(chunk.text, rest));
    if (matched && (!last || rest.empty())) {
      name = rest;
      return true;
    }
  }
  return false;
}

// The set of places in a pattern that a match may have reached. Place
// 2i is before part i; 2i+1 is inside it, which only kFolders has.
class Places {
 public:
  explicit Places(const std::vector<PatternPart>& parts)
      : parts_(parts), now_(2 * parts.size() + 1), next_(now_.size()) {
    Reach(now_, 0);
  }

  // False if nothing can match any more.
  bool Step(char32_t character) {
    std::fill(next_.begin(), next_.end(), false);
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (now_[2 * i] && Accepts(parts_[i], character)) {
        bool repeats = parts_[i].kind == PatternPart::Kind::kStar ||
                       parts_[i].kind == PatternPart::Kind::kAnything;
        Reach(next_, repeats ? i : i + 1);
      }
      if (now_[2 * i + 1]) {
        next_[2 * i + 1] = true;
        if (character == '/') {
          Reach(next_, i + 1);
        }
      }
    }
    std::swap(now_, next_);
    return std::find(now_.begin(), now_.end(), true) != now_.end();
  }

  bool AtEnd() const { return now_.back(); }

 private:
  static bool Accepts(const PatternPart& part, char32_t character) {
    switch (part.kind) {
      case PatternPart::Kind::kCharacter:
      case PatternPart::Kind::kClass:
        return InClass(part, character);
      case PatternPart::Kind::kAnyCharacter:
      case PatternPart::Kind::kStar:
        return character != '/';
      case PatternPart::Kind::kAnything:
        return true;
      case PatternPart::Kind::kFolders:
        return false;
    }
    return false;
  }

  // Marks the place before part `i` and all that follows without a character.
  void Reach(std::vector<bool>& places, size_t i) const {
    while (!places[2 * i]) {
      places[2 * i] = true;
      if (i == parts_.size()) {
        return;
      }
      PatternPart::Kind kind = parts_[i].kind;
      if (kind == PatternPart::Kind::kFolders) {
        places[2 * i + 1] = true;
      } else if (kind != PatternPart::Kind::kStar &&
                 kind != PatternPart::Kind::kAnything) {
        return;
      }
      ++i;
    }
  }

  const std::vector<PatternPart>& parts_;
  std::vector<bool> now_;
  std::vector<bool> next_;
};

}  // namespace

bool HasWildcard(absl::string_view pattern) {
  return pattern.find_first_of("*?[\\") != absl::string_view::npos;
}

std::string EscapeWildcards(absl::string_view text) {
  std::string pattern;
  for (char c : text) {
    if (HasWildcard({&c, 1})) {
      pattern.push_back('\\');
    }
    pattern.push_back(c);
  }
  return pattern;
}

absl::StatusOr<bool> MatchWildcard(absl::string_view pattern,
                                   absl::string_view name) {
  while (!pattern.empty()) {
    Chunk chunk = TakeChunk(pattern);
    if (chunk.star && chunk.text.empty()) {
      return name.find('/') == absl::string_view::npos;
    }
    ASSIGN_OR_RETURN(bool found, FindChunk(chunk, pattern.empty(), name));
    if (found) {
      continue;
    }
    // A mistake further on must be found whatever the name.
    while (!pattern.empty()) {
      absl::string_view nothing;
      RETURN_IF_ERROR(TakeMatch(TakeChunk(pattern).text, nothing).status());
    }
    return false;
  }
  return name.empty();
}

std::vector<PatternPart> ReadPatternParts(absl::string_view pattern) {
  using Kind = PatternPart::Kind;
  std::vector<PatternPart> parts;
  while (!pattern.empty()) {
    if (pattern.substr(0, 2) == "**") {
      pattern.remove_prefix(2);
      // The slash belongs to the stars, which may stand for nothing.
      pattern.remove_prefix(!pattern.empty() && pattern[0] == '/' ? 1 : 0);
      parts.push_back({pattern.empty() ? Kind::kAnything : Kind::kFolders});
      continue;
    }
    char c = pattern[0];
    if (c == '*' || c == '?') {
      pattern.remove_prefix(1);
      parts.push_back({c == '*' ? Kind::kStar : Kind::kAnyCharacter});
      continue;
    }
    if (c == '[') {
      absl::string_view rest = pattern.substr(1);
      absl::StatusOr<PatternPart> part = TakeClass(rest);
      if (part.ok()) {
        pattern = rest;
        parts.push_back(*std::move(part));
        continue;
      }
    }
    pattern.remove_prefix(c == '\\' && pattern.size() > 1 ? 1 : 0);
    char32_t character = TakeCharacter(pattern);
    parts.push_back({.ranges = {{character, character}}});
  }
  return parts;
}

bool MatchPatternParts(absl::string_view pattern,
                       const std::vector<PatternPart>& parts,
                       absl::string_view path) {
  if (!HasWildcard(pattern)) {
    return pattern == path;
  }
  // `**` and then only literal text is a plain test of the end.
  if (pattern.substr(0, 2) == "**" && !HasWildcard(pattern.substr(2))) {
    absl::string_view end = pattern.substr(2);
    return absl::EndsWith(path, end) ||
           (!end.empty() && end[0] == '/' && path == end.substr(1));
  }
  Places places(parts);
  while (!path.empty()) {
    if (!places.Step(TakeCharacter(path))) {
      return false;
    }
  }
  return places.AtEnd();
}

bool MatchIgnorePattern(absl::string_view pattern, absl::string_view path) {
  return MatchPatternParts(pattern, ReadPatternParts(pattern), path);
}

}  // namespace lamina::ir
