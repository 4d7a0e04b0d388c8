#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/trigger.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

void Check(const Statement& statement, Diagnostics& diagnostics) {
  if (statement.inner.empty()) {
    diagnostics.Error("bad-arguments", ArgumentRange(statement),
                      "ONBUILD requires at least one argument; write the "
                      "instruction that a child image runs");
    return;
  }
  const Statement& inner = statement.inner[0];
  if (inner.keyword == "ONBUILD") {
    diagnostics.Error("bad-trigger", inner.keyword_word.range,
                      "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed; "
                      "remove one of the two");
  } else if (inner.keyword == "FROM" || inner.keyword == "MAINTAINER") {
    diagnostics.Error(
        "bad-trigger", inner.keyword_word.range,
        absl::StrCat(inner.keyword,
                     " isn't allowed as an ONBUILD trigger; only what runs "
                     "inside a stage is"));
  }
}

void Describe(const Statement& statement, Json& object) {
  object.Set("value", TriggerText(statement));
}

void Lower(const Statement& statement, Stage& stage) {
  stage.config().on_build.push_back(TriggerText(statement));
}

}  // namespace

constinit const Instruction kOnbuild = {
    .keyword = "ONBUILD",
    .shape = grammar::ArgumentShape::kInstruction,
    .check = Check,
    .describe = Describe,
    .lower = Lower,
};

}  // namespace lamina::frontend
