#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

void Lower(const grammar::Statement& statement, Stage& stage) {
  ir::ImageConfig& config = stage.config();
  config.entrypoint = CommandArgs(statement, statement.text.text, config);
  // An inherited command was meant for the inherited entry point.
  if (!stage.has_cmd) {
    config.cmd.clear();
  }
  stage.CommitConfig(
      absl::StrCat("ENTRYPOINT ", GoQuotedList(config.entrypoint)));
}

}  // namespace

constinit const Instruction kEntrypoint = {
    .keyword = "ENTRYPOINT",
    .shape = grammar::ArgumentShape::kJsonOrText,
    .describe = DescribeCommand,
    .lower = Lower,
};

}  // namespace lamina::frontend
