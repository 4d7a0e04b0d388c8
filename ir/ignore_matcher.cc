// Ignore files: reading the lines, and deciding while walking down.
//
// moby/patternmatcher is the specification (dockerfile.md 13.1): what a folder
// remembers decides for what is below it, which is not the same as the last
// match over all folders above.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"
#include "ir/patterns.h"

namespace lamina::ir {
namespace {

constexpr size_t kMaxLine = 64 << 10;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The pattern of one line as IgnoreMatcher::Create takes it; empty for none.
std::string CleanLine(absl::string_view line) {
  if (!line.empty() && line[0] == '#') {
    return "";
  }
  line = absl::StripAsciiWhitespace(line);
  bool exclusion = !line.empty() && line[0] == '!';
  if (exclusion) {
    line = absl::StripAsciiWhitespace(line.substr(1));
  }
  std::string pattern = line.empty() ? "" : CleanPath(line);
  if (pattern.size() > 1 && pattern[0] == '/') {
    pattern.erase(0, 1);
  }
  return absl::StrCat(exclusion ? "!" : "", pattern);
}

// Whether a pattern may match something below the folder, judged component by
// component. A class may match a slash, so it ends the comparison with yes.
bool MayMatchBelow(absl::string_view pattern, absl::string_view folder) {
  std::vector<absl::string_view> wanted = absl::StrSplit(pattern, '/');
  std::vector<absl::string_view> have =
      absl::StrSplit(folder, '/', absl::SkipEmpty());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (i == have.size() || wanted[i].find("**") != absl::string_view::npos ||
        wanted[i].find_first_of("[\\") != absl::string_view::npos) {
      return true;
    }
    if (!MatchIgnorePattern(wanted[i], have[i])) {
      return false;
    }
  }
  return false;
}

}  // namespace

absl::Status IgnoreMatcher::Add(absl::string_view line) {
  Pattern pattern;
  pattern.text = CleanPath(line);
  if (pattern.text[0] == '!') {
    if (pattern.text.size() == 1) {
      return absl::InvalidArgumentError("illegal exclusion pattern: \"!\"");
    }
    pattern.exclusion = true;
    pattern.text.erase(0, 1);
    has_exclusions_ = true;
  }
  RETURN_IF_ERROR(MatchWildcard(pattern.text, ".").status());
  pattern.parts = ReadPatternParts(pattern.text);
  patterns_.push_back(std::move(pattern));
  return absl::OkStatus();
}

IgnoreMatcher IgnoreMatcher::ParseFile(const SourceFile& file,
                                       Diagnostics& diagnostics) {
  IgnoreMatcher matcher;
  uint32_t begin =
      file.text().substr(0, kByteOrderMark.size()) == kByteOrderMark
          ? kByteOrderMark.size()
          : 0;
  for (absl::string_view line :
       absl::StrSplit(file.text().substr(begin), '\n')) {
    absl::string_view shown = absl::StripAsciiWhitespace(line);
    uint32_t at = begin + (shown.empty() ? 0 : shown.data() - line.data());
    SourceRange range = {at, at + static_cast<uint32_t>(shown.size())};
    begin += line.size() + 1;
    if (line.size() > kMaxLine) {
      diagnostics.Error("line-too-long", range,
                        "the line is longer than 64 KiB; break it up");
      continue;
    }
    std::string pattern = CleanLine(line);
    absl::Status added =
        pattern.empty() ? absl::OkStatus() : matcher.Add(pattern);
    if (!added.ok()) {
      diagnostics.Error(
          "bad-pattern", range,
          absl::StrCat(added.message(), pattern == "!"
                                            ? "; write what is to be kept "
                                              "behind the `!`"
                                            : "; close the `[`, or write "
                                              "`\\` before it"));
    }
  }
  return matcher;
}

absl::StatusOr<IgnoreMatcher> IgnoreMatcher::Create(
    const std::vector<std::string>& patterns) {
  IgnoreMatcher matcher;
  for (const std::string& pattern : patterns) {
    absl::string_view text = absl::StripAsciiWhitespace(pattern);
    if (!text.empty()) {
      RETURN_IF_ERROR(Annotate(matcher.Add(text), pattern));
    }
  }
  return matcher;
}

bool IgnoreMatcher::Matches(const Pattern& pattern, absl::string_view path,
                            bool ancestors_too) const {
  if (MatchPatternParts(pattern.text, pattern.parts, path)) {
    return true;
  }
  // Without a memory the folders above are asked one by one, which is right
  // below the root and a good answer for a single path.
  for (size_t slash = path.find('/');
       ancestors_too && slash != absl::string_view::npos;
       slash = path.find('/', slash + 1)) {
    if (MatchPatternParts(pattern.text, pattern.parts, path.substr(0, slash))) {
      return true;
    }
  }
  return false;
}

bool IgnoreMatcher::Ignored(absl::string_view path, const IgnoreMemory& parent,
                            IgnoreMemory& memory) const {
  bool known = !parent.matched.empty();
  CHECK(!known || parent.matched.size() == patterns_.size());
  // Filled aside: the caller may pass one memory for both.
  std::vector<bool> matched(patterns_.size());
  bool ignored = false;
  for (size_t i = 0; i < patterns_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    bool could_change = pattern.exclusion == ignored;
    matched[i] = (known && parent.matched[i]) ||
                 (could_change && Matches(pattern, path, !known));
    if (matched[i]) {
      ignored = !pattern.exclusion;
    }
  }
  memory.matched = std::move(matched);
  return ignored;
}

bool IgnoreMatcher::NamesEverything() const {
  return std::any_of(
      patterns_.begin(), patterns_.end(), [](const Pattern& pattern) {
        return !pattern.exclusion &&
               (pattern.text == "*" || pattern.text == "**" ||
                pattern.text == "**/*");
      });
}

bool IgnoreMatcher::MustEnter(absl::string_view path) const {
  return has_exclusions_ &&
         std::any_of(patterns_.begin(), patterns_.end(),
                     [path](const Pattern& pattern) {
                       return pattern.exclusion &&
                              MayMatchBelow(pattern.text, path);
                     });
}

}  // namespace lamina::ir
