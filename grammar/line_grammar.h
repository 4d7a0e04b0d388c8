// Runs the instruction grammar on pieces of a logical line. One object serves
// a whole file: the generated parser keeps what it learned about the grammar.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "Instruction.h"
#include "InstructionLexer.h"
#include "absl/strings/string_view.h"
#include "antlr4-runtime.h"
#include "base/source.h"
#include "grammar/characters.h"

namespace lamina::grammar {

// Ranges are byte offsets into the text that was read.
struct Head {
  SourceRange keyword;
  std::vector<SourceRange> flags;
  SourceRange rest;  // White space trimmed at both ends.
};

struct JsonItem {
  std::string value;
  SourceRange range;
};

struct JsonList {
  bool strings_only = true;
  SourceRange first_other;  // The first element that is no string.
  std::vector<JsonItem> items;
};

struct HeredocMark {
  bool strip_tabs = false;
  SourceRange delimiter;
};

class LineGrammar {
 public:
  explicit LineGrammar(char escape);

  // `line` has no white space at its ends.
  Head ReadHead(absl::string_view line);
  std::vector<SourceRange> ReadWords(absl::string_view text);
  // Words of ENV, LABEL, ARG; an escape character at the very end is dropped.
  std::vector<SourceRange> ReadPairs(absl::string_view text);
  // Nothing when `text` is not one JSON list and nothing else.
  std::optional<JsonList> ReadJson(absl::string_view text);
  // Nothing when the shell word is no heredoc.
  std::optional<HeredocMark> ReadMark(absl::string_view word);

 private:
  void Load(absl::string_view text, size_t mode);
  SourceRange Range(const antlr4::Token& token) const;
  std::vector<SourceRange> Ranges(
      const std::vector<antlr4::tree::TerminalNode*>& leaves) const;
  bool NestsTooDeeply();

  char escape_;
  Characters characters_;
  generated::InstructionLexer lexer_;
  antlr4::CommonTokenStream tokens_;
  generated::Instruction parser_;
};

// The string that a JSON string token stands for. Lone surrogates and bytes
// that are not UTF-8 become U+FFFD, as in Go.
std::string DecodeJsonString(absl::string_view quoted);

// A flag word without quotes and escapes.
std::string UnquoteFlag(absl::string_view written, char escape);

}  // namespace lamina::grammar
