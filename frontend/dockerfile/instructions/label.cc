#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

void Lower(const grammar::Statement& statement, Stage& stage) {
  auto pairs = ExpandPairs(statement, stage);
  if (!pairs.has_value()) {
    return;
  }
  std::string history = "LABEL";
  for (const auto& [name, value] : *pairs) {
    stage.config().labels[name] = value;
    absl::StrAppend(&history, " ", name, "=", value);
  }
  stage.CommitConfig(std::move(history));
}

}  // namespace

constinit const Instruction kLabel = {
    .keyword = "LABEL",
    .shape = grammar::ArgumentShape::kKeyValues,
    .describe = DescribePairs,
    .lower = Lower,
};

}  // namespace lamina::frontend
