// Text as the generated lexers read it: code points, with the bytes they came
// from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "antlr4-runtime.h"

namespace lamina::grammar {

// What the lexers see in place of certain characters. The grammars know one
// escape character, the backslash. Letters and digits above ASCII always look
// like `a` and `0`.
struct Disguise {
  // With '`' the lexer sees a backslash for it, and a backquote for '\\'.
  char escape = '\\';
  // When false, quotes look like an ordinary character.
  bool quotes = true;
};

// A byte that is not UTF-8 is one character, U+FFFD.
class Characters : public antlr4::CharStream {
 public:
  // `text` must outlive the stream.
  Characters(absl::string_view text, Disguise disguise);

  // The bytes of the characters [begin, end).
  size_t ByteOffset(size_t index) const {
    return offsets_.empty() ? index : offsets_[index];
  }
  absl::string_view Bytes(const antlr4::Token& token) const;

  void consume() override { ++index_; }
  size_t LA(ssize_t i) override;
  ssize_t mark() override { return -1; }
  void release(ssize_t) override {}
  size_t index() override { return index_; }
  void seek(size_t index) override { index_ = index; }
  size_t size() override { return size_; }
  size_t length() const { return size_; }
  std::string getSourceName() const override { return "Dockerfile"; }
  std::string getText(const antlr4::misc::Interval& interval) override;
  std::string toString() const override { return std::string(text_); }

 private:
  size_t See(size_t index) const;

  absl::string_view text_;
  Disguise disguise_;
  // Empty for ASCII, where characters are bytes.
  std::vector<uint32_t> code_points_;
  std::vector<uint32_t> offsets_;  // One more than characters.
  size_t index_ = 0;
  size_t size_ = 0;
};

// One UTF-8 character at the start of `text`, which is not empty.
struct Character {
  uint32_t code_point = 0xFFFD;
  uint32_t bytes = 1;
};
Character DecodeUtf8(absl::string_view text);
void AppendUtf8(uint32_t code_point, std::string& out);

// White space as Unicode defines it, and text without it at the ends.
bool IsSpace(uint32_t code_point);
absl::string_view TrimLeft(absl::string_view text);
absl::string_view TrimRight(absl::string_view text);

// Letters and decimal digits above ASCII, as Unicode defines them.
bool IsForeignLetter(uint32_t code_point);
bool IsForeignDigit(uint32_t code_point);

}  // namespace lamina::grammar
