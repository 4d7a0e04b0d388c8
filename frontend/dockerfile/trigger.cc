#include "frontend/dockerfile/trigger.h"

#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/lower.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

void MoveRanges(Statement& statement, SourceRange range) {
  statement.range = range;
  statement.keyword_word.range = range;
  statement.text.range = range;
  for (grammar::Flag& flag : statement.flags) {
    flag.range = range;
    flag.value_range = range;
  }
  for (grammar::Word& word : statement.words) {
    word.range = range;
  }
  for (grammar::KeyValue& pair : statement.pairs) {
    pair.key.range = range;
    if (pair.value.has_value()) {
      pair.value->range = range;
    }
  }
  for (grammar::Heredoc& heredoc : statement.heredocs) {
    heredoc.range = range;
  }
  for (Statement& inner : statement.inner) {
    MoveRanges(inner, range);
  }
}

}  // namespace

std::string TriggerText(const Statement& onbuild) {
  std::string text = onbuild.text.text;
  const std::vector<grammar::Heredoc>& heredocs =
      onbuild.heredocs.empty() && !onbuild.inner.empty()
          ? onbuild.inner[0].heredocs
          : onbuild.heredocs;
  for (const grammar::Heredoc& heredoc : heredocs) {
    absl::StrAppend(&text, "\n", heredoc.body, heredoc.name);
  }
  return text;
}

std::optional<Statement> ParseTrigger(absl::string_view text, SourceRange from,
                                      Diagnostics& diagnostics) {
  SourceFile source("ONBUILD", std::string(text));
  Diagnostics found;
  grammar::DockerfileSyntax syntax =
      grammar::ParseDockerfile(source, DockerfileKeywords(), found);
  if (!found.has_errors() && syntax.statements.size() != 1) {
    found.Error("bad-trigger", from,
                "onbuild trigger should be a single expression; write an "
                "ONBUILD for each");
  }
  std::optional<Statement> trigger;
  if (!found.has_errors()) {
    trigger = std::move(syntax.statements[0]);
    const std::string& keyword = trigger->keyword;
    if (keyword == "ONBUILD" || keyword == "FROM" || keyword == "MAINTAINER") {
      found.Error(
          "bad-trigger", from,
          absl::StrCat(keyword, " isn't allowed as an ONBUILD trigger"));
    } else {
      CheckStatement(*trigger, found);
    }
  }
  for (Diagnostic diagnostic : found.all()) {
    diagnostic.range = from;
    // Their places are in the text of the trigger.
    diagnostic.notes.clear();
    diagnostic.fix.reset();
    diagnostic.message = absl::StrCat(diagnostic.message,
                                      "; in the trigger `ONBUILD ", text, "`");
    diagnostics.Add(std::move(diagnostic));
  }
  if (found.has_errors()) {
    return std::nullopt;
  }
  MoveRanges(*trigger, from);
  return trigger;
}

}  // namespace lamina::frontend
