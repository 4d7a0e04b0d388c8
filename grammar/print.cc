#include "absl/strings/str_cat.h"
#include "grammar/characters.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::grammar {
namespace {

// Well below the limit of a physical line, so that keyword, flags and one
// long piece fit too.
constexpr size_t kLongLine = 32000;

// In quotes, so that white space at its end is not the end of the line.
std::string PrintFlag(const Flag& flag, char escape) {
  absl::string_view body = absl::string_view(flag.written).substr(2);
  bool plain = !body.empty();
  std::string quoted = "--\"";
  while (!body.empty()) {
    Character character = DecodeUtf8(body);
    char first = body[0];
    if (first == escape || first == '"') {
      quoted.push_back(escape);
    }
    plain = plain && !IsSpace(character.code_point) && first != escape &&
            first != '"' && first != '\'';
    absl::StrAppend(&quoted, body.substr(0, character.bytes));
    body.remove_prefix(character.bytes);
  }
  return plain ? flag.written : quoted + "\"";
}

// Cuts a text that is too long for one line between two letters, where
// neither a comment nor a doubled escape character can come about.
std::string Wrap(absl::string_view text, char escape) {
  std::string out;
  auto is_letter = [&](size_t at) {
    return (text[at] >= 'a' && text[at] <= 'z') ||
           (text[at] >= 'A' && text[at] <= 'Z');
  };
  while (text.size() > kLongLine) {
    size_t cut = kLongLine;
    while (cut > 1 && !(is_letter(cut - 1) && is_letter(cut))) {
      --cut;
    }
    if (cut == 1) {
      break;
    }
    absl::StrAppend(&out, text.substr(0, cut), absl::string_view(&escape, 1),
                    "\n");
    text.remove_prefix(cut);
  }
  return absl::StrCat(out, text);
}

void PrintStatement(const Statement& statement, char escape, std::string& out) {
  for (const Word& comment : statement.comments) {
    absl::StrAppend(&out, "# ", comment.text, "\n");
  }
  absl::StrAppend(&out, statement.keyword_word.text);
  for (const Flag& flag : statement.flags) {
    absl::StrAppend(&out, " ", PrintFlag(flag, escape));
  }
  std::string rest(statement.text.text);
  if (!statement.type.empty()) {
    rest = absl::StrCat(statement.type, rest.empty() ? "" : " ", rest);
  }
  if (rest.substr(0, 2) == "--") {
    absl::StrAppend(&out, " --");
  }
  if (!rest.empty()) {
    absl::StrAppend(&out, " ", Wrap(rest, escape));
    // A vertical tab is white space, but none that may follow a continuation.
    absl::StrAppend(&out, rest.back() == escape ? "\v" : "");
  }
  absl::StrAppend(&out, "\n");
  for (const Heredoc& heredoc : statement.heredocs) {
    absl::StrAppend(&out, heredoc.body, heredoc.name, "\n");
  }
}

}  // namespace

std::string PrintDockerfile(const DockerfileSyntax& syntax) {
  std::string out;
  if (syntax.syntax_directive.has_value()) {
    absl::StrAppend(&out, "# syntax=", syntax.syntax_directive->text, "\n");
  }
  if (syntax.check_directive.has_value()) {
    absl::StrAppend(&out, "# check=", syntax.check_directive->text, "\n");
  }
  if (syntax.escape != '\\') {
    absl::StrAppend(&out, "# escape=", absl::string_view(&syntax.escape, 1),
                    "\n");
  }
  // Ends the directives: the first comment may look like one.
  absl::StrAppend(&out, "\n");
  for (const Statement& statement : syntax.statements) {
    PrintStatement(statement, syntax.escape, out);
  }
  for (const Word& comment : syntax.comments) {
    absl::StrAppend(&out, "# ", comment.text, "\n");
  }
  return out;
}

}  // namespace lamina::grammar
