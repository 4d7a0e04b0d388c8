#include "base/source.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace lamina {

SourceFile::SourceFile(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (uint32_t offset = 0; offset < text_.size(); ++offset) {
    if (text_[offset] == '\n' && offset + 1 < text_.size()) {
      line_starts_.push_back(offset + 1);
    }
  }
}

absl::string_view SourceFile::Slice(SourceRange range) const {
  CHECK(range.begin <= range.end && range.end <= text_.size());
  return absl::string_view(text_).substr(range.begin, range.end - range.begin);
}

SourcePosition SourceFile::Position(uint32_t offset) const {
  auto next =
      std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  uint32_t line = next - line_starts_.begin();
  uint32_t column = 1;
  for (uint32_t at = line_starts_[line - 1];
       at < offset && at < text_.size(); ++at) {
    // Continuation bytes of UTF-8 do not start a code point.
    bool starts_character =
        (static_cast<unsigned char>(text_[at]) & 0xC0) != 0x80;
    column += starts_character ? 1 : 0;
  }
  return {line, column};
}

absl::string_view SourceFile::Line(uint32_t line) const {
  CHECK(line >= 1 && line <= line_starts_.size());
  uint32_t begin = line_starts_[line - 1];
  size_t end = text_.find('\n', begin);
  absl::string_view bytes =
      absl::string_view(text_).substr(begin, end - begin);
  while (!bytes.empty() && bytes.back() == '\r') {
    bytes.remove_suffix(1);
  }
  return bytes;
}

}  // namespace lamina
