#include "grammar/line_grammar.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "base/status.h"

namespace lamina::grammar {
namespace {

using generated::Instruction;
using generated::InstructionLexer;

// Lists in lists are refused anyway; this keeps the generated parser's
// recursion short.
constexpr size_t kMaxDepth = 100;

// The value of the four hexadecimal digits at the start of `text`.
uint32_t ReadHex(absl::string_view text) {
  uint32_t value = 0;
  CHECK(absl::SimpleHexAtoi(text.substr(0, 4), &value));
  return value;
}

}  // namespace

LineGrammar::LineGrammar(char escape)
    : escape_(escape),
      characters_("", {}),
      lexer_(&characters_),
      tokens_(&lexer_),
      parser_(&tokens_) {
  lexer_.removeErrorListeners();
  parser_.removeErrorListeners();
  parser_.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(
      antlr4::atn::PredictionMode::SLL);
}

void LineGrammar::Load(absl::string_view text, size_t mode) {
  characters_ = Characters(text, {.escape = escape_});
  lexer_.setInputStream(&characters_);
  lexer_.setMode(mode);
  tokens_.setTokenSource(&lexer_);
  parser_.setTokenStream(&tokens_);
}

SourceRange LineGrammar::Range(const antlr4::Token& token) const {
  return {
      static_cast<uint32_t>(characters_.ByteOffset(token.getStartIndex())),
      static_cast<uint32_t>(characters_.ByteOffset(token.getStopIndex() + 1))};
}

std::vector<SourceRange> LineGrammar::Ranges(
    const std::vector<antlr4::tree::TerminalNode*>& leaves) const {
  std::vector<SourceRange> ranges;
  ranges.reserve(leaves.size());
  for (antlr4::tree::TerminalNode* leaf : leaves) {
    ranges.push_back(Range(*leaf->getSymbol()));
  }
  return ranges;
}

Head LineGrammar::ReadHead(absl::string_view line) {
  Load(line, 0);
  Head head;
  // A lone escape character at the end of the file makes an empty line.
  if (line.empty()) {
    return head;
  }
  Instruction::HeadContext* tree = parser_.head();
  head.keyword = Range(*tree->KEYWORD()->getSymbol());
  head.flags = Ranges(tree->FLAG());
  uint32_t end = line.size();
  head.rest = {end, end};
  if (tree->TEXT() != nullptr) {
    head.rest = Range(*tree->TEXT()->getSymbol());
    head.rest.end =
        head.rest.begin + TrimRight(line.substr(head.rest.begin)).size();
  }
  return head;
}

std::vector<SourceRange> LineGrammar::ReadWords(absl::string_view text) {
  Load(text, InstructionLexer::WORDS);
  return Ranges(parser_.words()->WORD());
}

std::vector<SourceRange> LineGrammar::ReadPairs(absl::string_view text) {
  Load(text, InstructionLexer::PAIRS);
  return Ranges(parser_.pairs()->PAIR());
}

bool LineGrammar::NestsTooDeeply() {
  tokens_.fill();
  size_t depth = 0;
  for (antlr4::Token* token : tokens_.getTokens()) {
    switch (token->getType()) {
      case Instruction::LIST_BEGIN:
      case Instruction::OBJECT_BEGIN:
        if (++depth > kMaxDepth) {
          return true;
        }
        break;
      case Instruction::LIST_END:
      case Instruction::OBJECT_END:
        depth -= depth > 0 ? 1 : 0;
        break;
      default:
        break;
    }
  }
  return false;
}

std::optional<JsonList> LineGrammar::ReadJson(absl::string_view text) {
  if (text.empty() || text[0] != '[') {
    return std::nullopt;
  }
  Load(text, InstructionLexer::JSON);
  // JSON has its own escapes, whatever the file says.
  characters_ = Characters(text, {});
  if (NestsTooDeeply()) {
    return std::nullopt;
  }
  Instruction::JsonContext* tree = parser_.json();
  if (parser_.getNumberOfSyntaxErrors() > 0) {
    return std::nullopt;
  }
  JsonList list;
  for (Instruction::ValueContext* value : tree->list()->value()) {
    if (value->STRING() == nullptr) {
      if (list.strings_only) {
        list.first_other = {Range(*value->getStart()).begin,
                            Range(*value->getStop()).end};
      }
      list.strings_only = false;
      continue;
    }
    SourceRange range = Range(*value->STRING()->getSymbol());
    absl::string_view quoted =
        text.substr(range.begin, range.end - range.begin);
    list.items.push_back({DecodeJsonString(quoted), range});
  }
  return list;
}

std::optional<HeredocMark> LineGrammar::ReadMark(absl::string_view word) {
  Load(word, InstructionLexer::MARKER);
  Instruction::HeredocContext* tree = parser_.heredoc();
  if (parser_.getNumberOfSyntaxErrors() > 0) {
    return std::nullopt;
  }
  SourceRange mark = Range(*tree->MARK()->getSymbol());
  return HeredocMark{.strip_tabs = mark.end - mark.begin == 3,
                     .delimiter = Range(*tree->DELIMITER()->getSymbol())};
}

std::string DecodeJsonString(absl::string_view quoted) {
  absl::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  while (!text.empty()) {
    if (text[0] != '\\') {
      Character character = DecodeUtf8(text);
      AppendUtf8(character.code_point, out);
      text.remove_prefix(character.bytes);
      continue;
    }
    if (text[1] != 'u') {
      static constexpr absl::string_view kLetters = "bfnrt";
      static constexpr absl::string_view kMeanings = "\b\f\n\r\t";
      size_t letter = kLetters.find(text[1]);
      out.push_back(letter == kLetters.npos ? text[1] : kMeanings[letter]);
      text.remove_prefix(2);
      continue;
    }
    uint32_t unit = ReadHex(text.substr(2));
    text.remove_prefix(6);
    if (unit >= 0xD800 && unit < 0xDC00 && text.substr(0, 2) == "\\u") {
      uint32_t low = ReadHex(text.substr(2));
      if (low >= 0xDC00 && low < 0xE000) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        text.remove_prefix(6);
      }
    }
    bool lone = unit >= 0xD800 && unit < 0xE000;
    AppendUtf8(lone ? 0xFFFD : unit, out);
  }
  return out;
}

std::string UnquoteFlag(absl::string_view written, char escape) {
  std::string out;
  char quote = 0;
  for (size_t i = 0; i < written.size(); ++i) {
    char c = written[i];
    if (c == escape) {
      if (++i < written.size()) {
        out.push_back(written[i]);
      }
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace lamina::grammar
