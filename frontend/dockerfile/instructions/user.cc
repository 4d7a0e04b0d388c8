#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

void Lower(const grammar::Statement& statement, Stage& stage) {
  if (std::optional<std::string> user = stage.Expand(statement.text)) {
    stage.config().user = *user;
    stage.CommitConfig(absl::StrCat("USER ", *user));
  }
}

}  // namespace

constinit const Instruction kUser = {
    .keyword = "USER",
    .shape = grammar::ArgumentShape::kText,
    .check = CheckOneText,
    .describe = DescribeText,
    .lower = Lower,
};

}  // namespace lamina::frontend
