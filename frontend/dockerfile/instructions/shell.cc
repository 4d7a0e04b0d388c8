#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

void Check(const Statement& statement, Diagnostics& diagnostics) {
  if (statement.text.text.empty() ||
      (statement.json && statement.words.empty())) {
    diagnostics.Error("bad-arguments", ArgumentRange(statement),
                      "SHELL requires at least one argument");
  } else if (!statement.json) {
    diagnostics.Error("bad-arguments", ArgumentRange(statement),
                      "SHELL requires the arguments to be in JSON form");
  }
}

void Describe(const Statement& statement, Json& object) {
  object.Set("command", Json::Strings(WordTexts(statement.words)));
}

void Lower(const Statement& statement, Stage& stage) {
  stage.config().shell = WordTexts(statement.words);
  stage.CommitConfig(absl::StrCat("SHELL ", GoList(stage.config().shell)));
}

}  // namespace

constinit const Instruction kShell = {
    .keyword = "SHELL",
    .shape = grammar::ArgumentShape::kJsonOrText,
    .check = Check,
    .describe = Describe,
    .lower = Lower,
};

}  // namespace lamina::frontend
