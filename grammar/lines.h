// Cuts the text of a Dockerfile into logical lines (dockerfile.md 1 and 2):
// parser directives, comments, continuations, heredoc bodies.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "base/source.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::grammar {

// Where the bytes of a logical line stand in the file.
class SourceMap {
 public:
  // The bytes from `logical` on, up to the next call's, stand from `source` on.
  void Add(uint32_t logical, uint32_t source);
  // The source of the bytes [begin, end) of the line.
  SourceRange Range(size_t begin, size_t end) const;

 private:
  uint32_t Source(uint32_t logical) const;

  struct Piece {
    uint32_t logical;
    uint32_t source;
  };
  std::vector<Piece> pieces_;
};

// One instruction, continuations joined.
struct LogicalLine {
  std::string text;
  SourceMap map;
  SourceRange range;
  uint32_t line = 1;
  uint32_t end_line = 1;
  std::vector<Word> comments;            // The ones attached to it.
  std::vector<SourceRange> empty_lines;  // Blank lines between its lines.
};

class LineReader {
 public:
  // Both must outlive the reader.
  LineReader(const SourceFile& source, Diagnostics& diagnostics);

  // Fills escape and directives; call it once, before the first line.
  void ReadDirectives(DockerfileSyntax& syntax);

  // The next instruction; false at the end of the file.
  bool Next(LogicalLine& line);

  // Comments that no instruction followed, once Next() is false.
  std::vector<Word> TakeComments() { return std::exchange(comments_, {}); }

  // Moves the lines up to the terminator into `heredoc.body` and extends
  // `line` over them. False when the file ends first.
  bool ReadBody(Heredoc& heredoc, LogicalLine& line);

 private:
  // A physical line with its LF.
  struct Physical {
    absl::string_view bytes;
    uint32_t offset = 0;
    uint32_t number = 0;
  };

  bool NextPhysical(Physical& physical);
  void Peek(Physical& physical) const;
  bool TakeDirective(const Physical& physical, bool after_shebang,
                     DockerfileSyntax& syntax);
  void SetDirective(absl::string_view key, Word value, bool after_shebang,
                    DockerfileSyntax& syntax);
  void RememberComment(const Physical& physical);
  bool Append(absl::string_view bytes, uint32_t offset, LogicalLine& line);
  // Whether `bytes`, without line end, go on in the next line; removes the
  // escape character then.
  bool Continues(absl::string_view& bytes) const;

  const SourceFile& source_;
  Diagnostics& diagnostics_;
  char escape_ = '\\';
  bool escape_seen_ = false;
  uint32_t offset_ = 0;
  uint32_t number_ = 0;  // Lines read.
  std::vector<Word> comments_;
};

}  // namespace lamina::grammar
