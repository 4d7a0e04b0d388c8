#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

void Lower(const grammar::Statement& statement, Stage& stage) {
  stage.config().author = statement.text.text;
  stage.CommitConfig(absl::StrCat("MAINTAINER ", statement.text.text));
}

}  // namespace

constinit const Instruction kMaintainer = {
    .keyword = "MAINTAINER",
    .shape = grammar::ArgumentShape::kText,
    .check = CheckOneText,
    .describe = DescribeText,
    .lower = Lower,
};

}  // namespace lamina::frontend
