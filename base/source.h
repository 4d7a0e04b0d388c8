// What the user wrote, and places in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lamina {

// Byte offsets [begin, end) into the text of one SourceFile.
struct SourceRange {
  uint32_t begin = 0;
  uint32_t end = 0;

  friend bool operator==(SourceRange, SourceRange) = default;
};

// Line and column, both from 1; the column counts code points.
struct SourcePosition {
  uint32_t line = 1;
  uint32_t column = 1;
};

// The text of one file and where its lines begin. Lines end at LF.
class SourceFile {
 public:
  SourceFile() : SourceFile("", "") {}
  SourceFile(std::string name, std::string text);

  const std::string& name() const { return name_; }
  absl::string_view text() const { return text_; }
  absl::string_view Slice(SourceRange range) const;
  SourcePosition Position(uint32_t offset) const;
  uint32_t line_count() const { return line_starts_.size(); }
  // The bytes of a line without its LF or CRLF; `line` is from 1.
  absl::string_view Line(uint32_t line) const;
  uint32_t LineStart(uint32_t line) const { return line_starts_[line - 1]; }

 private:
  std::string name_;
  std::string text_;
  std::vector<uint32_t> line_starts_;
};

}  // namespace lamina
