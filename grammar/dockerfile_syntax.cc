#include "grammar/dockerfile_syntax.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "grammar/line_grammar.h"
#include "grammar/lines.h"
#include "grammar/word_reader.h"

namespace lamina::grammar {
namespace {

// A part of a logical line: its text and where that begins in the line.
struct Part {
  absl::string_view text;
  uint32_t begin = 0;

  Part Sub(SourceRange range) const {
    return {text.substr(range.begin, range.end - range.begin),
            begin + range.begin};
  }
};

class DockerfileReader {
 public:
  DockerfileReader(const SourceFile& source,
                   const std::vector<KeywordShape>& keywords,
                   Diagnostics& diagnostics)
      : source_(source),
        keywords_(keywords),
        diagnostics_(diagnostics),
        lines_(source, diagnostics) {}

  DockerfileSyntax Read() {
    DockerfileSyntax syntax;
    if (source_.text().empty()) {
      diagnostics_.Error("empty-file", {},
                         "the Dockerfile cannot be empty; begin it with FROM");
      return syntax;
    }
    lines_.ReadDirectives(syntax);
    escape_ = syntax.escape;
    LineGrammar grammar(escape_);
    grammar_ = &grammar;
    bool any = false;
    while (lines_.Next(line_)) {
      any = true;
      ReadStatement(syntax);
    }
    syntax.comments = lines_.TakeComments();
    if (!any) {
      diagnostics_.Error("no-instructions", {},
                         "file with no instructions; begin it with FROM");
    }
    return syntax;
  }

 private:
  void ReadStatement(DockerfileSyntax& syntax) {
    Statement statement;
    // The first physical line may have been a lone escape character.
    absl::string_view text = TrimLeft(line_.text);
    uint32_t begin = line_.text.size() - text.size();
    Part whole = {TrimRight(text), begin};
    bool usable = ReadInstruction(whole, /*inner=*/false, statement);
    // The bodies belong to this line whatever else is wrong with it.
    usable = ReadHeredocs(statement) && usable;
    statement.range = line_.range;
    statement.line = line_.line;
    statement.end_line = line_.end_line;
    statement.comments = std::move(line_.comments);
    statement.empty_lines = std::move(line_.empty_lines);
    for (Statement& inner : statement.inner) {
      inner.range = {inner.keyword_word.range.begin, statement.range.end};
      inner.line = source_.Position(inner.range.begin).line;
      inner.end_line = statement.end_line;
    }
    any_read_ = true;
    if (usable) {
      syntax.statements.push_back(std::move(statement));
    }
  }

  // Keyword, flags and the shape of the rest. False when the statement is
  // better left out because of an error that was reported.
  bool ReadInstruction(const Part& part, bool inner, Statement& statement) {
    Head head = grammar_->ReadHead(part.text);
    statement.keyword_word = WordAt(part, head.keyword);
    statement.keyword = absl::AsciiStrToUpper(statement.keyword_word.text);
    for (SourceRange flag : head.flags) {
      statement.flags.push_back(ReadFlag(part.Sub(flag)));
    }
    statement.text = WordAt(part, head.rest);
    const KeywordShape* shape = Find(statement.keyword);
    if (shape == nullptr) {
      if (!inner) {
        ReportUnknown(statement.keyword_word);
      }
      // What ONBUILD holds is judged when it is triggered.
      return inner;
    }
    statement.shape = shape->shape;
    return ReadShape(part.Sub(head.rest), inner, statement);
  }

  bool ReadShape(const Part& rest, bool inner, Statement& statement) {
    switch (statement.shape) {
      case ArgumentShape::kText:
        return true;
      case ArgumentShape::kWords:
        ReadWords(rest, statement);
        return true;
      case ArgumentShape::kJsonOrText:
        return ReadJson(rest, statement);
      case ArgumentShape::kJsonOrWords:
        if (!ReadJson(rest, statement)) {
          return false;
        }
        if (!statement.json) {
          ReadWords(rest, statement);
        }
        return true;
      case ArgumentShape::kTypeAndJsonOrText:
        return ReadTyped(rest, statement);
      case ArgumentShape::kKeyValues:
        return ReadKeyValues(rest, statement);
      case ArgumentShape::kOptionalKeyValues:
        return ReadOptionalKeyValues(rest, statement);
      case ArgumentShape::kInstruction:
        // An ONBUILD in an ONBUILD is refused later; going down into it would
        // let the input choose the depth of our recursion.
        if (inner || rest.text.empty()) {
          return true;
        }
        statement.inner.emplace_back();
        return ReadInstruction(rest, /*inner=*/true, statement.inner.back());
    }
    return true;
  }

  Flag ReadFlag(const Part& part) {
    Flag flag;
    flag.written = UnquoteFlag(part.text, escape_);
    flag.range = RangeOf(part);
    flag.value_range = flag.range;
    absl::string_view body = absl::string_view(flag.written).substr(2);
    size_t equals = body.find('=');
    flag.name = std::string(body.substr(0, equals));
    if (equals != absl::string_view::npos) {
      flag.value = std::string(body.substr(equals + 1));
      uint32_t size = part.text.size();
      uint32_t value = part.text.find('=') + 1;
      flag.value_range = RangeOf(part.Sub({value, size}));
    }
    return flag;
  }

  void ReadWords(const Part& rest, Statement& statement) {
    for (SourceRange word : grammar_->ReadWords(rest.text)) {
      statement.words.push_back(WordAt(rest, word));
    }
  }

  bool ReadJson(const Part& rest, Statement& statement) {
    std::optional<JsonList> list = grammar_->ReadJson(rest.text);
    if (!list.has_value()) {
      return true;
    }
    statement.json = true;
    if (!list->strings_only) {
      diagnostics_.Error("json-strings-only",
                         RangeOf(rest.Sub(list->first_other)),
                         "when using JSON array syntax, arrays must be "
                         "comprised of strings only; put this element in "
                         "double quotes");
      return false;
    }
    for (JsonItem& item : list->items) {
      statement.words.push_back(
          {std::move(item.value), RangeOf(rest.Sub(item.range))});
    }
    return true;
  }

  bool ReadTyped(const Part& rest, Statement& statement) {
    size_t length = 0;
    while (length < rest.text.size() &&
           !absl::ascii_isspace(rest.text[length])) {
      ++length;
    }
    statement.type = absl::AsciiStrToUpper(rest.text.substr(0, length));
    statement.type_range =
        RangeOf(rest.Sub({0, static_cast<uint32_t>(length)}));
    uint32_t begin =
        rest.text.size() - TrimLeft(rest.text.substr(length)).size();
    uint32_t end = rest.text.size();
    statement.text = WordAt(rest, {begin, end});
    return ReadJson(rest.Sub({begin, end}), statement);
  }

  bool ReadKeyValues(const Part& rest, Statement& statement) {
    std::vector<SourceRange> words = grammar_->ReadPairs(rest.text);
    if (words.empty()) {
      return ReportNoArgument(statement);
    }
    if (rest.Sub(words[0]).text.find('=') == absl::string_view::npos) {
      return ReadLegacyPair(rest, statement);
    }
    bool usable = true;
    for (SourceRange range : words) {
      Part word = rest.Sub(range);
      if (word.text.find('=') == absl::string_view::npos) {
        diagnostics_.Error(
            "missing-equals", RangeOf(word),
            absl::StrCat("Syntax error - can't find = in \"", word.text,
                         "\". Must be of the form: name=value; put a value "
                         "with blanks in double quotes"));
        usable = false;
        continue;
      }
      usable = AddPair(word, statement) && usable;
    }
    return usable;
  }

  bool ReadLegacyPair(const Part& rest, Statement& statement) {
    size_t cut = rest.text.find_first_of("\t\v\f\r ");
    if (cut == absl::string_view::npos) {
      diagnostics_.Error(
          "missing-value", RangeOf(rest),
          absl::StrCat(statement.keyword, " must have two arguments; write `",
                       statement.keyword, " ", rest.text, "=VALUE`"));
      return false;
    }
    uint32_t key_end = cut;
    uint32_t value = rest.text.find_first_not_of("\t\v\f\r ", cut);
    uint32_t end = rest.text.size();
    statement.legacy_pair = true;
    statement.pairs.push_back(
        {WordAt(rest, {0, key_end}), WordAt(rest, {value, end})});
    return CheckName(statement.pairs.back().key, statement);
  }

  bool ReadOptionalKeyValues(const Part& rest, Statement& statement) {
    std::vector<SourceRange> words = grammar_->ReadPairs(rest.text);
    if (words.empty()) {
      return ReportNoArgument(statement);
    }
    bool usable = true;
    for (SourceRange range : words) {
      usable = AddPair(rest.Sub(range), statement) && usable;
    }
    return usable;
  }

  // Cuts at the first `=`, quoted or not.
  bool AddPair(const Part& word, Statement& statement) {
    uint32_t end = word.text.size();
    size_t equals = word.text.find('=');
    if (equals == absl::string_view::npos) {
      statement.pairs.push_back({WordAt(word, {0, end}), std::nullopt});
    } else {
      uint32_t cut = equals;
      statement.pairs.push_back(
          {WordAt(word, {0, cut}), WordAt(word, {cut + 1, end})});
    }
    return CheckName(statement.pairs.back().key, statement);
  }

  bool CheckName(const Word& key, const Statement& statement) {
    bool blank = key.text.empty() || key.text == "\"\"" || key.text == "''";
    if (blank) {
      diagnostics_.Error(
          "blank-name", key.range,
          absl::StrCat(statement.keyword,
                       " names can not be blank; write a name before `=`"));
    }
    return !blank;
  }

  bool ReportNoArgument(const Statement& statement) {
    diagnostics_.Error("missing-argument", statement.keyword_word.range,
                       absl::StrCat(statement.keyword,
                                    " requires at least one argument; write `",
                                    statement.keyword, " NAME=VALUE`"));
    return false;
  }

  // Reads the bodies of the heredocs on the line. The inner instruction of an
  // ONBUILD has the same heredocs as the ONBUILD.
  bool ReadHeredocs(Statement& statement) {
    Statement& owner =
        statement.inner.empty() ? statement : statement.inner.front();
    const KeywordShape* shape = Find(owner.keyword);
    if (shape == nullptr || !shape->heredocs || owner.json ||
        line_.text.find("<<") == std::string::npos) {
      return true;
    }
    bool complete = true;
    std::optional<std::vector<SourceRange>> words = SplitShellWords(line_.text);
    for (SourceRange range : words.value_or(std::vector<SourceRange>{})) {
      std::optional<Heredoc> heredoc =
          FindHeredoc(Part{line_.text, 0}.Sub(range));
      if (!heredoc.has_value()) {
        continue;
      }
      if (!lines_.ReadBody(*heredoc, line_)) {
        diagnostics_.Error("unterminated-heredoc", heredoc->range,
                           absl::StrCat("unterminated heredoc; no line is `",
                                        heredoc->name, "`"));
        complete = false;
      }
      statement.heredocs.push_back(*std::move(heredoc));
    }
    if (&owner != &statement) {
      owner.heredocs = statement.heredocs;
    }
    return complete;
  }

  std::optional<Heredoc> FindHeredoc(const Part& word) {
    if (word.text.find("<<") == absl::string_view::npos) {
      return std::nullopt;
    }
    std::optional<HeredocMark> mark = grammar_->ReadMark(word.text);
    if (!mark.has_value()) {
      return std::nullopt;
    }
    std::optional<Delimiter> delimiter =
        ReadDelimiter(word.Sub(mark->delimiter).text);
    if (!delimiter.has_value()) {
      return std::nullopt;
    }
    return Heredoc{.name = delimiter->name,
                   .expand = !delimiter->quoted,
                   .strip_tabs = mark->strip_tabs,
                   .range = RangeOf(word)};
  }

  const KeywordShape* Find(absl::string_view keyword) const {
    for (const KeywordShape& shape : keywords_) {
      if (shape.keyword == keyword) {
        return &shape;
      }
    }
    return nullptr;
  }

  void ReportUnknown(const Word& keyword) {
    std::vector<std::string> known;
    for (const KeywordShape& shape : keywords_) {
      known.emplace_back(shape.keyword);
    }
    Diagnostic unknown;
    unknown.code = "unknown-instruction";
    unknown.range = keyword.range;
    unknown.message = absl::StrCat("unknown instruction: ", keyword.text);
    if (std::optional<std::string> near = Closest(keyword.text, known)) {
      bool lower = keyword.text == absl::AsciiStrToLower(keyword.text);
      std::string word = lower ? absl::AsciiStrToLower(*near) : *near;
      absl::StrAppend(&unknown.message, "; did you mean `", word, "`?");
      unknown.fix = {
          {absl::StrCat("write `", word, "`"), {{keyword.range, word}}}};
    } else if (any_read_ && !hinted_) {
      hinted_ = true;
      absl::StrAppend(&unknown.message,
                      "; if it belongs to the line above, end that one with `",
                      std::string(1, escape_), "`");
    }
    diagnostics_.Add(std::move(unknown));
  }

  SourceRange RangeOf(const Part& part) const {
    return line_.map.Range(part.begin, part.begin + part.text.size());
  }
  Word WordAt(const Part& part, SourceRange range) const {
    Part sub = part.Sub(range);
    return {std::string(sub.text), RangeOf(sub)};
  }

  const SourceFile& source_;
  const std::vector<KeywordShape>& keywords_;
  Diagnostics& diagnostics_;
  LineReader lines_;
  LogicalLine line_;
  LineGrammar* grammar_ = nullptr;
  char escape_ = '\\';
  bool any_read_ = false;
  bool hinted_ = false;  // The hint for a lost continuation stands once.
};

}  // namespace

DockerfileSyntax ParseDockerfile(const SourceFile& source,
                                 const std::vector<KeywordShape>& keywords,
                                 Diagnostics& diagnostics) {
  return DockerfileReader(source, keywords, diagnostics).Read();
}

}  // namespace lamina::grammar
