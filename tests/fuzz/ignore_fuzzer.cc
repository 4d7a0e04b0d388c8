// An ignore file and paths: the matcher's walk beside one that only follows
// the definition (dockerfile.md 13.1), and MatchWildcard beside the same.
//
// Input: the ignore file, a NUL, then one path a line.
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"
#include "ir/patterns.h"

namespace lamina::ir {
namespace {

// Takes a class whose `[` is gone off the pattern, which is known to be well
// formed; whether `c` is in it.
bool TakeClass(absl::string_view& pattern, char c) {
  bool negated = absl::ConsumePrefix(&pattern, "^");
  bool inside = false;
  auto take = [&pattern] {
    absl::ConsumePrefix(&pattern, "\\");
    char taken = pattern[0];
    pattern.remove_prefix(1);
    return taken;
  };
  for (bool first = true; first || pattern[0] != ']'; first = false) {
    char low = take();
    char high = absl::ConsumePrefix(&pattern, "-") ? take() : low;
    inside |= low <= c && c <= high;
  }
  pattern.remove_prefix(1);
  return inside != negated;
}

// `folders`: `**` has its meaning of ignore files.
bool Matches(absl::string_view pattern, absl::string_view path, bool folders) {
  if (pattern.empty()) {
    return path.empty();
  }
  if (folders && absl::ConsumePrefix(&pattern, "**")) {
    absl::ConsumePrefix(&pattern, "/");
    bool found = pattern.empty() || Matches(pattern, path, true);
    for (size_t i = 0; !found && i < path.size(); ++i) {
      found = path[i] == '/' && Matches(pattern, path.substr(i + 1), true);
    }
    return found;
  }
  bool more = !path.empty();
  char c = pattern[0];
  if (c == '*') {
    return Matches(pattern.substr(1), path, folders) ||
           (more && path[0] != '/' &&
            Matches(pattern, path.substr(1), folders));
  }
  if (!more) {
    return false;
  }
  pattern.remove_prefix(1);
  if (c == '[') {
    return TakeClass(pattern, path[0]) &&
           Matches(pattern, path.substr(1), folders);
  }
  if (c == '\\') {
    c = pattern[0];
    pattern.remove_prefix(1);
  } else if (c == '?') {
    c = path[0] == '/' ? '\0' : path[0];
  }
  return path[0] == c && Matches(pattern, path.substr(1), folders);
}

bool MatchesIgnore(absl::string_view pattern, absl::string_view path) {
  absl::string_view end = pattern;
  if (absl::ConsumePrefix(&end, "**") && !HasWildcard(end)) {
    return absl::EndsWith(path, end) ||
           (absl::ConsumePrefix(&end, "/") && path == end);
  }
  return Matches(pattern, path, true);
}

struct Line {
  std::string pattern;
  bool exclusion = false;
};

std::vector<Line> ReadLines(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  std::vector<Line> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, "#")) {
      continue;
    }
    line = absl::StripAsciiWhitespace(line);
    bool exclusion = absl::ConsumePrefix(&line, "!");
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) {
      continue;
    }
    std::string pattern = CleanPath(line);
    if (pattern.size() > 1 && pattern[0] == '/') {
      pattern.erase(0, 1);
    }
    // The mark is looked for once more in the cleaned line: `/!a` has one.
    if (!exclusion && pattern[0] == '!') {
      exclusion = true;
      pattern.erase(0, 1);
    }
    lines.push_back({pattern, exclusion});
  }
  return lines;
}

// Fills in `matched` from the parent's; the result is whether it is ignored.
bool Decide(const std::vector<Line>& lines, absl::string_view path,
            std::vector<bool>& matched) {
  bool ignored = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!matched[i] && lines[i].exclusion == ignored) {
      matched[i] = MatchesIgnore(lines[i].pattern, path);
    }
    if (matched[i]) {
      ignored = !lines[i].exclusion;
    }
  }
  return ignored;
}

// The slow matcher reads bytes for characters and takes exponential time.
bool IsSimple(absl::string_view text) {
  size_t stars = 0;
  for (char c : text) {
    if ((c & 0x80) != 0) {
      return false;
    }
    stars += c == '*' ? 1 : 0;
  }
  return stars <= 8;
}

// Walks down to `path` as a context is walked.
void CheckWalk(const IgnoreMatcher& matcher, const std::vector<Line>& lines,
               const std::string& path, bool compare) {
  IgnoreMemory memory;
  std::vector<bool> matched(lines.size());
  bool closed = false;  // A folder above said that nothing below can come back.
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    std::string folder = path.substr(0, end);
    bool ignored = matcher.Ignored(folder, memory, memory);
    if (compare) {
      CHECK(ignored == Decide(lines, folder, matched));
    }
    CHECK(!closed || ignored);
    closed = closed || (ignored && !matcher.MustEnter(folder));
  }
}

void CheckWildcard(const std::string& pattern, const std::string& path) {
  absl::StatusOr<bool> matched = MatchWildcard(pattern, path);
  if (matched.ok() && IsSimple(pattern) && IsSimple(path) &&
      path.size() <= 40) {
    CHECK(*matched == Matches(pattern, path, false));
  }
}

}  // namespace
}  // namespace lamina::ir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lamina;
  using namespace lamina::ir;
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  absl::string_view file = input.substr(0, input.find('\0'));
  input.remove_prefix(std::min(input.size(), file.size() + 1));
  Diagnostics diagnostics;
  SourceFile source(".dockerignore", std::string(file));
  IgnoreMatcher matcher = IgnoreMatcher::ParseFile(source, diagnostics);
  std::vector<Line> lines = ReadLines(file);
  int paths = 0;
  for (absl::string_view name : absl::StrSplit(input, '\n')) {
    std::string path = CleanPath(absl::StrCat("/", name)).substr(1);
    if (path.empty() || ++paths > 50) {
      continue;
    }
    if (!diagnostics.has_errors()) {
      CheckWalk(matcher, lines, path,
                IsSimple(file) && IsSimple(path) && path.size() <= 40);
    }
    for (const Line& line : lines) {
      CheckWildcard(line.pattern, path);
    }
  }
  return 0;
}
