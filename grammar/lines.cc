#include "grammar/lines.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "grammar/characters.h"

namespace lamina::grammar {
namespace {

constexpr size_t kMaxLine = 65535;  // Bytes before the LF.

absl::string_view TrimLineEnd(absl::string_view bytes) {
  while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) {
    bytes.remove_suffix(1);
  }
  return bytes;
}

bool IsComment(absl::string_view bytes) {
  absl::string_view trimmed = TrimLeft(bytes);
  return !trimmed.empty() && trimmed[0] == '#';
}

// `# key = value`; the views point into the line.
struct Directive {
  absl::string_view key;
  absl::string_view value;
};

std::optional<Directive> ReadDirective(absl::string_view line) {
  line = TrimLeft(TrimLineEnd(line));
  if (line.empty() || line[0] != '#') {
    return std::nullopt;
  }
  line = TrimLeft(line.substr(1));
  size_t length = 0;
  while (length < line.size() &&
         absl::ascii_isalnum(static_cast<unsigned char>(line[length]))) {
    ++length;
  }
  if (length == 0 ||
      !absl::ascii_isalpha(static_cast<unsigned char>(line[0]))) {
    return std::nullopt;
  }
  absl::string_view rest = TrimLeft(line.substr(length));
  if (rest.empty() || rest[0] != '=') {
    return std::nullopt;
  }
  Directive directive = {line.substr(0, length),
                         TrimRight(TrimLeft(rest.substr(1)))};
  return directive.value.empty() ? std::nullopt : std::optional(directive);
}

}  // namespace

void SourceMap::Add(uint32_t logical, uint32_t source) {
  pieces_.push_back({logical, source});
}

uint32_t SourceMap::Source(uint32_t logical) const {
  auto after = std::upper_bound(
      pieces_.begin(), pieces_.end(), logical,
      [](uint32_t value, const Piece& piece) { return value < piece.logical; });
  if (after == pieces_.begin()) {
    return logical;
  }
  const Piece& piece = *std::prev(after);
  return piece.source + (logical - piece.logical);
}

SourceRange SourceMap::Range(size_t begin, size_t end) const {
  // Behind the last byte, not at the first of the next piece.
  uint32_t first = Source(begin);
  return {first, begin == end ? first : Source(end - 1) + 1};
}

LineReader::LineReader(const SourceFile& source, Diagnostics& diagnostics)
    : source_(source), diagnostics_(diagnostics) {
  if (source.text().substr(0, 3) == "\xEF\xBB\xBF") {
    offset_ = 3;
  }
}

void LineReader::Peek(Physical& physical) const {
  absl::string_view rest = source_.text().substr(offset_);
  size_t end = rest.find('\n');
  physical.bytes =
      rest.substr(0, end == absl::string_view::npos ? end : end + 1);
  physical.offset = offset_;
  physical.number = number_ + 1;
}

bool LineReader::NextPhysical(Physical& physical) {
  if (offset_ >= source_.text().size()) {
    return false;
  }
  Peek(physical);
  offset_ += physical.bytes.size();
  ++number_;
  size_t length = physical.bytes.size();
  if (physical.bytes.back() == '\n') {
    --length;
  }
  if (length > kMaxLine) {
    diagnostics_.Error(
        "line-too-long",
        {static_cast<uint32_t>(physical.offset + kMaxLine),
         static_cast<uint32_t>(physical.offset + kMaxLine + 1)},
        absl::StrCat("dockerfile line greater than max allowed size of ",
                     kMaxLine, "; break it into several lines"));
  }
  return true;
}

void LineReader::ReadDirectives(DockerfileSyntax& syntax) {
  Physical physical;
  Peek(physical);
  bool shebang = physical.bytes.substr(0, 2) == "#!";
  uint32_t start_offset = offset_;
  uint32_t start_number = number_;
  if (shebang) {
    NextPhysical(physical);
  }
  bool any = false;
  while (offset_ < source_.text().size()) {
    Peek(physical);
    if (!TakeDirective(physical, shebang, syntax)) {
      break;
    }
    any = true;
    NextPhysical(physical);
  }
  if (shebang && !any) {
    offset_ = start_offset;
    number_ = start_number;
  }
  escape_ = syntax.escape;
}

bool LineReader::TakeDirective(const Physical& physical, bool after_shebang,
                               DockerfileSyntax& syntax) {
  std::optional<Directive> directive = ReadDirective(physical.bytes);
  if (!directive.has_value()) {
    return false;
  }
  std::string key = absl::AsciiStrToLower(directive->key);
  if (key != "syntax" && key != "escape" && key != "check") {
    return false;
  }
  uint32_t begin = directive->value.data() - source_.text().data();
  uint32_t end = begin + directive->value.size();
  SetDirective(key, {std::string(directive->value), {begin, end}},
               after_shebang, syntax);
  return true;
}

void LineReader::SetDirective(absl::string_view key, Word value,
                              bool after_shebang, DockerfileSyntax& syntax) {
  bool repeated = key == "escape"   ? escape_seen_
                  : key == "syntax" ? syntax.syntax_directive.has_value()
                                    : syntax.check_directive.has_value();
  if (repeated) {
    diagnostics_.Error(
        "repeated-directive", value.range,
        absl::StrCat("only one ", key,
                     " parser directive can be used; remove this one"));
    return;
  }
  if (key == "syntax") {
    syntax.syntax_directive = std::move(value);
  } else if (key == "check") {
    syntax.check_directive = std::move(value);
  } else if (!after_shebang) {
    escape_seen_ = true;
    if (value.text != "\\" && value.text != "`") {
      diagnostics_.Error("invalid-escape", value.range,
                         absl::StrCat("invalid escape token '", value.text,
                                      "' does not match ` or \\; write one of "
                                      "the two"));
      return;
    }
    syntax.escape = value.text[0];
  }
}

void LineReader::RememberComment(const Physical& physical) {
  absl::string_view text =
      TrimRight(TrimLeft(TrimLeft(physical.bytes).substr(1)));
  if (text.empty()) {
    comments_.clear();
    return;
  }
  uint32_t begin = text.data() - source_.text().data();
  uint32_t end = begin + text.size();
  comments_.push_back({std::string(text), {begin, end}});
}

bool LineReader::Continues(absl::string_view& bytes) const {
  size_t last = bytes.find_last_not_of(" \t");
  bool continues = last != absl::string_view::npos && bytes[last] == escape_ &&
                   (last == 0 || bytes[last - 1] != escape_);
  if (continues) {
    bytes = bytes.substr(0, last);
  }
  return continues;
}

bool LineReader::Append(absl::string_view bytes, uint32_t offset,
                        LogicalLine& line) {
  bool continues = Continues(bytes);
  line.map.Add(line.text.size(), offset);
  absl::StrAppend(&line.text, bytes);
  return continues;
}

bool LineReader::Next(LogicalLine& line) {
  Physical physical;
  absl::string_view first;
  do {
    if (!NextPhysical(physical)) {
      return false;
    }
    first = TrimLeft(TrimLineEnd(physical.bytes));
    if (IsComment(first)) {
      RememberComment(physical);
      first = {};
    }
  } while (first.empty());

  uint32_t begin = first.data() - source_.text().data();
  line = LogicalLine{.line = physical.number,
                     .comments = std::exchange(comments_, {})};
  bool continues = Append(first, begin, line);
  while (continues && NextPhysical(physical)) {
    absl::string_view bytes = TrimLineEnd(physical.bytes);
    uint32_t end = physical.offset + bytes.size();
    if (IsComment(bytes)) {
      continue;
    }
    if (TrimLeft(bytes).empty()) {
      line.empty_lines.push_back({physical.offset, end});
      continue;
    }
    continues = Append(bytes, physical.offset, line);
  }
  uint32_t end = physical.offset + TrimLineEnd(physical.bytes).size();
  line.range = {begin, end};
  line.end_line = number_;
  return true;
}

bool LineReader::ReadBody(Heredoc& heredoc, LogicalLine& line) {
  Physical physical;
  while (NextPhysical(physical)) {
    absl::string_view terminator = TrimLineEnd(physical.bytes);
    line.range.end = physical.offset + terminator.size();
    line.end_line = number_;
    while (heredoc.strip_tabs && !terminator.empty() && terminator[0] == '\t') {
      terminator.remove_prefix(1);
    }
    if (terminator == heredoc.name) {
      return true;
    }
    absl::StrAppend(&heredoc.body, physical.bytes);
  }
  return false;
}

}  // namespace lamina::grammar
