#include "absl/strings/ascii.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// The end of a line, its LF included.
uint32_t LineEnd(const Subject& subject, uint32_t line) {
  return line < subject.source.line_count()
             ? subject.source.LineStart(line + 1)
             : static_cast<uint32_t>(subject.source.text().size());
}

// Where BuildKit sees the mistake, without the indent.
SourceRange LastLine(const Subject& subject,
                     const grammar::Statement& statement) {
  uint32_t begin = subject.source.LineStart(statement.end_line);
  absl::string_view text = subject.source.Slice({begin, statement.range.end});
  begin += text.size() - absl::StripLeadingAsciiWhitespace(text).size();
  return {begin, statement.range.end};
}

std::vector<Finding> FindNoEmptyContinuation(const Subject& subject) {
  std::vector<Finding> findings;
  for (const grammar::Statement& statement : subject.syntax.statements) {
    if (statement.empty_lines.empty()) {
      continue;
    }
    Fix fix = {"remove the empty lines", {}};
    for (SourceRange line : statement.empty_lines) {
      // With its line end: the next line is of the same instruction.
      uint32_t number = subject.source.Position(line.begin).line;
      fix.edits.push_back({{line.begin, LineEnd(subject, number)}, ""});
    }
    findings.push_back({.statement = &statement,
                        .range = LastLine(subject, statement),
                        .detail = "Empty continuation line",
                        .advice = "remove the empty line above, or make it a "
                                  "comment",
                        .fix = std::move(fix)});
  }
  return findings;
}

}  // namespace

constinit const Rule kNoEmptyContinuation = {
    .name = "NoEmptyContinuation",
    .run = FindNoEmptyContinuation,
};

}  // namespace lamina::lint
