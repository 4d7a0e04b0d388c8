#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

void Lower(const grammar::Statement& statement, Stage& stage) {
  ir::ImageConfig& config = stage.config();
  config.cmd = CommandArgs(statement, statement.text.text, config);
  config.args_escaped = true;
  stage.has_cmd = true;
  stage.CommitConfig(absl::StrCat("CMD ", GoQuotedList(config.cmd)));
}

}  // namespace

constinit const Instruction kCmd = {
    .keyword = "CMD",
    .shape = grammar::ArgumentShape::kJsonOrText,
    .describe = DescribeCommand,
    .lower = Lower,
};

}  // namespace lamina::frontend
