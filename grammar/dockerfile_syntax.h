// What was written in a Dockerfile: statements with keyword, flags, words and
// heredocs. Knows no instruction's meaning; which argument shape a keyword has
// is told by the front end.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/diagnostic.h"
#include "base/source.h"

namespace lamina::grammar {

// How the rest of an instruction is read (dockerfile.md 4).
enum class ArgumentShape {
  kJsonOrWords,        // ADD COPY VOLUME
  kJsonOrText,         // RUN CMD ENTRYPOINT SHELL
  kKeyValues,          // ENV LABEL
  kOptionalKeyValues,  // ARG
  kWords,              // EXPOSE FROM
  kText,               // MAINTAINER STOPSIGNAL USER WORKDIR
  kInstruction,        // ONBUILD
  kTypeAndJsonOrText,  // HEALTHCHECK
};

// What the grammar must know of a keyword.
struct KeywordShape {
  absl::string_view keyword;  // Upper case.
  ArgumentShape shape;
  bool heredocs = false;  // RUN, COPY, ADD.
};

// A piece of text and where it stands. The text is what the grammar made of
// it (continuations joined, quotes kept); the range is in the source.
struct Word {
  std::string text;
  SourceRange range;
};

// `--name=value`; no value for a bare `--name`.
struct Flag {
  std::string name;  // Without the dashes.
  std::optional<std::string> value;
  std::string written;  // As in the source, quotes removed: "--name=value".
  SourceRange range;
  SourceRange value_range;
};

// key=value of ENV, LABEL, ARG. No value for a bare ARG name.
struct KeyValue {
  Word key;
  std::optional<Word> value;
};

struct Heredoc {
  std::string name;         // The delimiter without quotes.
  std::string body;         // Bytes as written, CRs too.
  bool expand = true;       // False when any part of the delimiter was quoted.
  bool strip_tabs = false;  // `<<-`
  SourceRange range;        // The `<<EOF` word.
};

struct Statement {
  std::string keyword;  // Upper case.
  Word keyword_word;    // As written.
  std::vector<Flag> flags;
  ArgumentShape shape = ArgumentShape::kText;

  bool json = false;            // Exec form: `words` are the JSON strings.
  bool legacy_pair = false;     // `ENV key value`.
  std::vector<Word> words;      // kWords, kJsonOrWords, and every JSON form.
  std::vector<KeyValue> pairs;  // kKeyValues, kOptionalKeyValues.
  // The trimmed rest, also where it was split. HEALTHCHECK: what follows the
  // type.
  Word text;
  std::string type;  // HEALTHCHECK: CMD, NONE, upper case.
  SourceRange type_range;
  std::vector<Heredoc> heredocs;  // Of ONBUILD: here and in `inner`.
  // ONBUILD: the statement inside, as far as the tokeniser reads it. Its
  // keyword may be unknown.
  std::vector<Statement> inner;

  SourceRange range;  // First to last byte, heredoc bodies included.
  uint32_t line = 1;  // First and last physical line, from 1.
  uint32_t end_line = 1;
  std::vector<Word> comments;  // Attached description comments, `#` removed.
  std::vector<SourceRange> empty_lines;  // Blank lines in a continuation.
};

struct DockerfileSyntax {
  char escape = '\\';
  std::optional<Word> syntax_directive;
  std::optional<Word> check_directive;
  std::vector<Statement> statements;
  std::vector<Word> comments;  // After the last statement, `#` removed.
};

// Reads a Dockerfile. Reports every mistake of form it can find and goes on
// with the next instruction; unknown keywords are reported with the nearest
// known one and left out of the result.
DockerfileSyntax ParseDockerfile(const SourceFile& source,
                                 const std::vector<KeywordShape>& keywords,
                                 Diagnostics& diagnostics);

// Canonical Dockerfile text: ParseDockerfile(PrintDockerfile(s)) equals s but
// for ranges.
std::string PrintDockerfile(const DockerfileSyntax& syntax);

}  // namespace lamina::grammar
