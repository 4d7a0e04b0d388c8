#include "grammar/word_syntax.h"

#include <utility>

#include "Word.h"
#include "WordLexer.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "antlr4-runtime.h"
#include "base/status.h"
#include "grammar/characters.h"
#include "grammar/word_reader.h"

namespace lamina::grammar {
namespace {

using antlr4::tree::ParseTree;
using antlr4::tree::TerminalNode;
using generated::Word;
using generated::WordLexer;
using Children = std::vector<ParseTree*>;

// Substitutions nest by recursion in the generated parser.
constexpr size_t kMaxDepth = 100;

// One word and its tree. The tree lives as long as this does.
class WordTree {
 public:
  WordTree(absl::string_view text, Disguise disguise)
      : characters_(text, disguise),
        lexer_(&characters_),
        tokens_(&lexer_),
        parser_(&tokens_) {
    lexer_.removeErrorListeners();
    parser_.removeErrorListeners();
    parser_.getInterpreter<antlr4::atn::ParserATNSimulator>()
        ->setPredictionMode(antlr4::atn::PredictionMode::SLL);
  }

  // Null when substitutions nest too deeply.
  Word::WordContext* Parse() {
    size_t fetched = 0;
    do {
      tokens_.LT(++fetched);
      if (lexer_.modeStack.size() > kMaxDepth) {
        return nullptr;
      }
    } while (tokens_.get(fetched - 1)->getType() != antlr4::Token::EOF);
    return parser_.word();
  }

  absl::string_view Bytes(const antlr4::Token& token) const {
    return characters_.Bytes(token);
  }
  SourceRange Range(antlr4::ParserRuleContext& context) const {
    const antlr4::Token* stop = context.getStop();
    // A rule that ends at the end of the word has EOF as its last token.
    size_t end = stop->getType() == antlr4::Token::EOF
                     ? size()
                     : stop->getStopIndex() + 1;
    return {Offset(context.getStart()->getStartIndex()), Offset(end)};
  }
  size_t size() const { return characters_.length(); }
  antlr4::CommonTokenStream& tokens() { return tokens_; }

 private:
  uint32_t Offset(size_t index) const { return characters_.ByteOffset(index); }

  Characters characters_;
  WordLexer lexer_;
  antlr4::CommonTokenStream tokens_;
  Word parser_;
};

// The token of a leaf, or null for an inner node.
antlr4::Token* Leaf(ParseTree* tree) {
  auto* terminal = dynamic_cast<TerminalNode*>(tree);
  return terminal == nullptr ? nullptr : terminal->getSymbol();
}

bool EndsEarly(const Children& children) {
  antlr4::Token* last = children.empty() ? nullptr : Leaf(children.back());
  return last != nullptr && last->getType() == antlr4::Token::EOF;
}

// Bytes that are not UTF-8 become U+FFFD.
void AppendValid(absl::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    Character character = DecodeUtf8(bytes);
    AppendUtf8(character.code_point, out);
    bytes.remove_prefix(character.bytes);
  }
}

// Turns the tree into parts. The first error in reading order wins, as in the
// reference, where an error that is met at the end of the word is reported by
// the innermost substitution around it as its missing end.
class PartBuilder {
 public:
  explicit PartBuilder(WordTree& tree) : tree_(tree) {}

  // `raw`: escapes stay, as patterns need them.
  bool AddPieces(const Children& children, bool quoted, bool raw,
                 std::vector<WordPart>& out) {
    for (ParseTree* child : children) {
      if (!AddPiece(child, quoted, raw, out)) {
        return false;
      }
    }
    return true;
  }

  const std::string& error() const { return error_; }

 private:
  bool AddPiece(ParseTree* tree, bool quoted, bool raw,
                std::vector<WordPart>& out) {
    if (antlr4::Token* token = Leaf(tree)) {
      return AddToken(*token, quoted, raw, out);
    }
    if (auto* quotes = dynamic_cast<Word::QuotedContext*>(tree)) {
      AddLiteral("", true, out);
      if (!AddPieces(quotes->children, true, raw, out)) {
        return false;
      }
      return !EndsEarly(quotes->children) ||
             Fail(
                 "unexpected end of statement while looking for matching "
                 "double-quote",
                 true);
    }
    if (auto* braced = dynamic_cast<Word::BracedContext*>(tree)) {
      return AddBraced(*braced, quoted, out);
    }
    return AddPieces(tree->children, quoted, raw, out);
  }

  bool AddToken(const antlr4::Token& token, bool quoted, bool raw,
                std::vector<WordPart>& out) {
    if (token.getType() == antlr4::Token::EOF) {
      return true;
    }
    absl::string_view bytes = tree_.Bytes(token);
    switch (token.getType()) {
      case Word::TEXT:
      case Word::DOLLAR:
        AddLiteral(bytes, quoted, out);
        return true;
      case Word::ESCAPED:
      case Word::QUOTED_ESCAPED:
        AddLiteral(raw ? bytes : bytes.substr(1), quoted, out);
        return true;
      case Word::ESCAPE_AT_END:
        AddLiteral(raw ? bytes : "", quoted, out);
        return true;
      case Word::QUOTED_ESCAPE:
        AddLiteral(raw ? absl::StrCat(bytes, bytes) : std::string(bytes),
                   quoted, out);
        return true;
      case Word::SINGLE:
        AddLiteral(bytes.substr(1, bytes.size() - 2), true, out);
        return true;
      case Word::SINGLE_OPEN:
        return Fail(
            "unexpected end of statement while looking for matching "
            "single-quote",
            true);
      case Word::VARIABLE: {
        WordPart part = {.kind = WordPart::Kind::kVariable, .quoted = quoted};
        AppendValid(bytes.substr(1), part.text);
        out.push_back(std::move(part));
        return true;
      }
      default:
        return true;  // Quotes and delimiters of the rule around them.
    }
  }

  bool AddBraced(Word::BracedContext& braced, bool quoted,
                 std::vector<WordPart>& out) {
    WordPart part = {.kind = WordPart::Kind::kVariable, .quoted = quoted};
    for (ParseTree* child : braced.children) {
      antlr4::Token* token = Leaf(child);
      bool done = token != nullptr ? ReadBraceToken(*token, part)
                                   : ReadBraceRule(child, part);
      if (!done) {
        return false;
      }
    }
    if (!unsupported_.empty()) {
      return Unsupported(std::exchange(unsupported_, ""), false);
    }
    out.push_back(std::move(part));
    return true;
  }

  bool ReadBraceToken(const antlr4::Token& token, WordPart& part) {
    if (token.getType() == antlr4::Token::EOF) {
      return Fail("syntax error: missing '}'", true);
    }
    absl::string_view bytes = tree_.Bytes(token);
    switch (token.getType()) {
      case Word::VARIABLE_NAME:
        AppendValid(bytes, part.text);
        return true;
      case Word::BAD_NAME:
        return Fail("syntax error: bad substitution", false);
      case Word::UNSUPPORTED:
        return Unsupported(bytes, token.getStopIndex() + 1 == tree_.size());
      case Word::UNSUPPORTED_COLON:
        unsupported_ = std::string(bytes);
        return true;
      case Word::WORD_MODIFIER:
      case Word::PATTERN_MODIFIER:
      case Word::REPLACE_MODIFIER:
        part.modifier = std::string(bytes);
        return true;
      default:
        return true;
    }
  }

  bool ReadBraceRule(ParseTree* child, WordPart& part) {
    bool is_pattern = dynamic_cast<Word::PatternContext*>(child) != nullptr;
    bool replaces = !part.modifier.empty() && part.modifier[0] == '/';
    bool strips = !part.modifier.empty() &&
                  (part.modifier[0] == '#' || part.modifier[0] == '%');
    std::vector<WordPart>& target =
        replaces && !is_pattern ? part.replacement : part.argument;
    // The reference gives up on the modifier only behind its argument.
    std::string unsupported = std::exchange(unsupported_, "");
    bool read = AddPieces(child->children, false, replaces || strips, target);
    unsupported_ = std::move(unsupported);
    if (read && !EndsEarly(child->children)) {
      return true;
    }
    if (read || error_at_end_) {
      return Fail(is_pattern ? "syntax error: missing '/' in ${}"
                             : "syntax error: missing '}'",
                  true);
    }
    return false;
  }

  bool Unsupported(absl::string_view modifier, bool at_end) {
    std::string shown;
    AppendValid(modifier, shown);
    return Fail(
        absl::StrCat("unsupported modifier (", shown, ") in substitution"),
        at_end);
  }

  static void AddLiteral(absl::string_view bytes, bool quoted,
                         std::vector<WordPart>& out) {
    bool extends = !out.empty() &&
                   out.back().kind == WordPart::Kind::kLiteral &&
                   out.back().quoted == quoted;
    if (!extends) {
      if (bytes.empty() && !quoted) {
        return;
      }
      out.push_back({.quoted = quoted});
    }
    AppendValid(bytes, out.back().text);
  }

  bool Fail(absl::string_view message, bool at_end) {
    error_ = std::string(message);
    error_at_end_ = at_end;
    return false;
  }

  WordTree& tree_;
  std::string error_;
  bool error_at_end_ = false;
  // The modifier that will be refused once its argument is read.
  std::string unsupported_;
};

bool IsPlain(absl::string_view word, const WordOptions& options) {
  for (char c : word) {
    bool special = c == '$' || c == options.escape ||
                   (options.quotes && (c == '\'' || c == '"'));
    if (special) {
      return false;
    }
  }
  return true;
}

// Cuts the top level of a tree into shell words.
class Splitter {
 public:
  explicit Splitter(absl::string_view line) : line_(line) {}

  // What stands in quotes or behind an escape belongs to the word as it is.
  void AddProtected(SourceRange range) {
    Begin(range.begin);
    end_ = range.end;
  }

  void AddText(SourceRange range) {
    for (uint32_t at = range.begin; at < range.end;) {
      Character character = DecodeUtf8(line_.substr(at));
      if (!IsSpace(character.code_point)) {
        AddProtected({at, at + character.bytes});
      } else if (in_word_ && !AfterMark()) {
        Finish();
      }
      at += character.bytes;
    }
  }

  std::vector<SourceRange> Take() {
    Finish();
    return std::move(words_);
  }

 private:
  void Begin(uint32_t at) {
    if (!in_word_) {
      begin_ = at;
      in_word_ = true;
    }
  }
  void Finish() {
    if (in_word_) {
      words_.push_back({begin_, end_});
    }
    in_word_ = false;
  }
  bool AfterMark() const {
    return end_ - begin_ >= 2 && line_.substr(end_ - 2, 2) == "<<";
  }

  absl::string_view line_;
  std::vector<SourceRange> words_;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
  bool in_word_ = false;
};

bool Understood(WordTree& tree, Word::WordContext& word) {
  std::vector<WordPart> parts;
  return PartBuilder(tree).AddPieces(word.children, false, false, parts);
}

}  // namespace

absl::StatusOr<std::vector<WordPart>> ParseWord(absl::string_view word,
                                                const WordOptions& options) {
  std::vector<WordPart> parts;
  if (IsPlain(word, options)) {
    if (!word.empty()) {
      parts.emplace_back();
      AppendValid(word, parts.back().text);
    }
    return parts;
  }
  WordTree tree(word, {.escape = options.escape, .quotes = options.quotes});
  Word::WordContext* root = tree.Parse();
  if (root == nullptr) {
    return absl::InvalidArgumentError("substitutions nested too deeply");
  }
  PartBuilder builder(tree);
  if (!builder.AddPieces(root->children, false, false, parts)) {
    return absl::InvalidArgumentError(builder.error());
  }
  return parts;
}

std::optional<std::vector<SourceRange>> SplitShellWords(
    absl::string_view line) {
  WordTree tree(line, {});
  Word::WordContext* root = tree.Parse();
  if (root == nullptr || !Understood(tree, *root)) {
    return std::nullopt;
  }
  Splitter splitter(line);
  for (Word::PieceContext* piece : root->piece()) {
    antlr4::Token* token = Leaf(piece->children.front());
    bool protects = token == nullptr ? piece->quoted() != nullptr
                                     : token->getType() == Word::SINGLE ||
                                           token->getType() == Word::ESCAPED;
    if (protects) {
      splitter.AddProtected(tree.Range(*piece));
    } else {
      splitter.AddText(tree.Range(*piece));
    }
  }
  return splitter.Take();
}

std::optional<Delimiter> ReadDelimiter(absl::string_view written) {
  WordTree tree(written, {});
  Word::WordContext* root = tree.Parse();
  if (root == nullptr || !Understood(tree, *root)) {
    return std::nullopt;
  }
  Delimiter delimiter;
  for (antlr4::Token* token : tree.tokens().getTokens()) {
    if (token->getType() == antlr4::Token::EOF) {
      break;
    }
    absl::string_view bytes = tree.Bytes(*token);
    switch (token->getType()) {
      case Word::SINGLE:
        delimiter.quoted = true;
        absl::StrAppend(&delimiter.name, bytes.substr(1, bytes.size() - 2));
        break;
      case Word::QUOTE:
      case Word::QUOTED_END:
        delimiter.quoted = true;
        break;
      case Word::ESCAPED:
      case Word::QUOTED_ESCAPED:
        absl::StrAppend(&delimiter.name, bytes.substr(1));
        break;
      case Word::ESCAPE_AT_END:
        break;
      default:
        absl::StrAppend(&delimiter.name, bytes);
    }
  }
  return delimiter;
}

}  // namespace lamina::grammar
