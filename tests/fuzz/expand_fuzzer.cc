// A word and the values of A and B: expanded in each way, and the patterns of
// ${v#p} and its kin beside a matcher that only follows the definition.
//
// Input: the value of A, a line; the value of B, a line; the word.
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/pattern.h"

namespace lamina::frontend {
namespace {

// Whether the pattern matches the whole text (dockerfile.md 6.2).
bool Matches(absl::string_view pattern, absl::string_view text) {
  if (pattern.empty()) {
    return text.empty();
  }
  bool more = !text.empty();
  switch (pattern[0]) {
    case '*':
      return Matches(pattern.substr(1), text) ||
             (more && text[0] != '\n' && Matches(pattern, text.substr(1)));
    case '?':
      return more && text[0] != '\n' &&
             Matches(pattern.substr(1), text.substr(1));
    case '\\':
      pattern.remove_prefix(1);
      break;
    default:
      break;
  }
  return more && text[0] == pattern[0] &&
         Matches(pattern.substr(1), text.substr(1));
}

std::string Drop(absl::string_view pattern, absl::string_view value,
                 bool suffix, bool longest) {
  for (size_t i = 0; i <= value.size(); ++i) {
    size_t length = longest ? value.size() - i : i;
    size_t rest = value.size() - length;
    absl::string_view part =
        suffix ? value.substr(rest) : value.substr(0, length);
    if (Matches(pattern, part)) {
      return std::string(suffix ? value.substr(0, rest) : value.substr(length));
    }
  }
  return std::string(value);
}

// The end of the longest match that begins at `start`, or npos.
size_t LongestMatch(absl::string_view pattern, absl::string_view value,
                    size_t start) {
  for (size_t end = value.size() + 1; end-- > start;) {
    if (Matches(pattern, value.substr(start, end - start))) {
      return end;
    }
  }
  return absl::string_view::npos;
}

std::string Replace(absl::string_view pattern, absl::string_view value,
                    bool all) {
  std::string out;
  size_t last_end = absl::string_view::npos;
  for (size_t at = 0; at <= value.size();) {
    size_t end = LongestMatch(pattern, value, at);
    bool found =
        end != absl::string_view::npos && !(end == at && at == last_end);
    if (found) {
      absl::StrAppend(&out, "<>");
      last_end = end;
      if (!all) {
        return absl::StrCat(out, value.substr(end));
      }
    }
    if (found && end > at) {
      at = end;
      continue;
    }
    absl::StrAppend(&out, value.substr(at, 1));
    ++at;
  }
  return out;
}

bool IsAscii(absl::string_view text) {
  for (char c : text) {
    if ((c & 0x80) != 0) {
      return false;
    }
  }
  return true;
}

void CheckPattern(absl::string_view text, absl::string_view value) {
  absl::StatusOr<SubstitutionPattern> pattern =
      SubstitutionPattern::Compile(text);
  if (!pattern.ok()) {
    return;
  }
  bool small = text.size() <= 10 && value.size() <= 20;
  for (bool longest : {false, true}) {
    std::string prefix = pattern->DropPrefix(value, longest);
    std::string suffix = pattern->DropSuffix(value, longest);
    std::string replaced = pattern->Replace(value, "<>", longest);
    // The slow matcher takes exponential time and bytes for characters.
    if (small && IsAscii(text) && IsAscii(value)) {
      CHECK(prefix == Drop(text, value, false, longest));
      CHECK(suffix == Drop(text, value, true, longest));
      CHECK(replaced == Replace(text, value, longest));
    }
  }
}

// A word in which nothing is special stands for itself.
void CheckPlain(absl::string_view word, char escape,
                const absl::StatusOr<std::string>& expanded) {
  bool special = !IsAscii(word) || word.find_first_of("$'\"") != word.npos ||
                 word.find(escape) != word.npos;
  if (!special) {
    CHECK(expanded.ok());
    CHECK(*expanded == word);
  }
}

absl::string_view TakeLine(absl::string_view& text) {
  absl::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

}  // namespace
}  // namespace lamina::frontend

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lamina::frontend;
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  absl::string_view a = TakeLine(input);
  absl::string_view b = TakeLine(input);
  Variables variables;
  variables.Set("A", a);
  variables.Set("B", b);
  variables.Set("EMPTY", "");
  for (char escape : {'\\', '`'}) {
    CheckPlain(input, escape, ExpandWord(input, escape, variables));
    absl::StatusOr<std::vector<std::string>> words =
        ExpandAndSplit(input, escape, variables);
    for (size_t i = 0; words.ok() && i < words->size(); ++i) {
      CHECK(!(*words)[i].empty());
    }
  }
  absl::StatusOr<std::string> body = ExpandHeredoc(input, variables);
  if (!body.ok()) {
    ExpansionHint(body.status().message());
  }
  CheckPattern(b, a);
  return 0;
}
