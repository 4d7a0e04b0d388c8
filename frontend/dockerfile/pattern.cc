#include "frontend/dockerfile/pattern.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lamina::frontend {
namespace {

size_t SequenceLength(absl::string_view text) {
  unsigned char lead = text[0];
  size_t length = lead < 0x80             ? 1
                  : (lead & 0xE0) == 0xC0 ? 2
                  : (lead & 0xF0) == 0xE0 ? 3
                  : (lead & 0xF8) == 0xF0 ? 4
                                          : 1;
  if (length > text.size()) {
    return 1;
  }
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      return 1;
    }
  }
  return length;
}

std::string Concatenate(const std::vector<absl::string_view>& characters,
                        size_t begin, size_t end) {
  return absl::StrJoin(characters.begin() + begin, characters.begin() + end,
                       "");
}

}  // namespace

std::vector<absl::string_view> SplitCharacters(absl::string_view text) {
  std::vector<absl::string_view> characters;
  while (!text.empty()) {
    size_t length = SequenceLength(text);
    characters.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return characters;
}

absl::StatusOr<SubstitutionPattern> SubstitutionPattern::Compile(
    absl::string_view text) {
  SubstitutionPattern pattern;
  Characters characters = SplitCharacters(text);
  for (size_t i = 0; i < characters.size(); ++i) {
    absl::string_view character = characters[i];
    if (character == "*") {
      pattern.tokens_.push_back({Token::Kind::kMany, ""});
      continue;
    }
    if (character == "?") {
      pattern.tokens_.push_back({Token::Kind::kOne, ""});
      continue;
    }
    if (character == "\\") {
      absl::string_view next =
          i + 1 < characters.size() ? characters[i + 1] : absl::string_view();
      if (next.empty() || !absl::StrContains("*?\\}/", next)) {
        return absl::InvalidArgumentError(
            absl::StrCat("invalid escape '\\", next, "'"));
      }
      character = next;
      ++i;
    }
    pattern.tokens_.push_back({Token::Kind::kLiteral, std::string(character)});
  }
  return pattern;
}

size_t SubstitutionPattern::MatchAt(const Characters& text, size_t start,
                                    bool longest) const {
  // active[t]: tokens before t match text[start, position).
  std::vector<bool> active(tokens_.size() + 1);
  active[0] = true;
  size_t end = std::string::npos;
  for (size_t position = start;; ++position) {
    for (size_t t = 0; t < tokens_.size(); ++t) {
      if (active[t] && tokens_[t].kind == Token::Kind::kMany) {
        active[t + 1] = true;
      }
    }
    if (active.back()) {
      end = position;
      if (!longest) {
        return end;
      }
    }
    if (position == text.size()) {
      return end;
    }
    std::vector<bool> next(active.size());
    bool alive = false;
    for (size_t t = 0; t < tokens_.size(); ++t) {
      if (!active[t]) {
        continue;
      }
      const Token& token = tokens_[t];
      bool wildcard = token.kind != Token::Kind::kLiteral;
      if (wildcard ? text[position] != "\n" : text[position] == token.text) {
        next[token.kind == Token::Kind::kMany ? t : t + 1] = true;
        alive = true;
      }
    }
    if (!alive) {
      return end;
    }
    active = std::move(next);
  }
}

std::string SubstitutionPattern::DropPrefix(absl::string_view value,
                                            bool longest) const {
  Characters text = SplitCharacters(value);
  size_t end = MatchAt(text, 0, longest);
  return end == std::string::npos ? std::string(value)
                                  : Concatenate(text, end, text.size());
}

std::string SubstitutionPattern::DropSuffix(absl::string_view value,
                                            bool longest) const {
  // A suffix is a prefix of the mirror image.
  SubstitutionPattern mirrored;
  mirrored.tokens_.assign(tokens_.rbegin(), tokens_.rend());
  Characters text = SplitCharacters(value);
  std::reverse(text.begin(), text.end());
  size_t end = mirrored.MatchAt(text, 0, longest);
  if (end == std::string::npos) {
    return std::string(value);
  }
  std::reverse(text.begin(), text.end());
  return Concatenate(text, 0, text.size() - end);
}

std::string SubstitutionPattern::Replace(absl::string_view value,
                                         absl::string_view replacement,
                                         bool all) const {
  Characters text = SplitCharacters(value);
  std::string result;
  size_t copied = 0;
  for (size_t start = 0; start <= text.size(); ++start) {
    size_t end = MatchAt(text, start, /*longest=*/true);
    if (end == std::string::npos) {
      continue;
    }
    absl::StrAppend(&result, Concatenate(text, copied, start));
    // An empty match right behind another match is none (Go's ReplaceAll).
    if (end > copied || start == 0) {
      absl::StrAppend(&result, replacement);
    }
    copied = end;
    if (!all) {
      break;
    }
    if (end > start) {
      start = end - 1;
    }
  }
  return absl::StrCat(result, Concatenate(text, copied, text.size()));
}

}  // namespace lamina::frontend
