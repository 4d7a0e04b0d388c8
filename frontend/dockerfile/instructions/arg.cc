#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::KeyValue;
using grammar::Statement;

// ARG swallows flags in silence, as BuildKit does.
bool ReadsNoFlags(const Statement& /*statement*/) { return false; }

// The value of one declaration (dockerfile.md 7.1). False if it is reported.
bool FindValue(const KeyValue& pair, Stage& stage,
               std::optional<std::string>& value) {
  const std::string& name = pair.key.text;
  const auto& given = stage.build().options.build_args;
  if (auto found = given.find(name); found != given.end()) {
    value = found->second;
  } else if (pair.value.has_value()) {
    value = stage.Expand(*pair.value);
    return value.has_value();
  } else if (const std::string* global =
                 stage.build().outline.globals.Find(name)) {
    value = *global;
  }
  return true;
}

void Declare(const std::string& name, const std::optional<std::string>& value,
             Stage& stage) {
  // The controls of the scanner are never in the environment.
  if (value.has_value() && !absl::StartsWith(name, "BUILDKIT_SBOM_SCAN_")) {
    stage.state().variables.Set(name, *value);
  }
  auto& arguments = stage.state().arguments;
  auto known =
      std::find_if(arguments.begin(), arguments.end(),
                   [&](const auto& entry) { return entry.first == name; });
  if (known == arguments.end()) {
    arguments.emplace_back(name, value.value_or(""));
  } else {
    known->second = value.value_or("");
  }
}

// The pairs of one line are resolved from left to right.
void Lower(const Statement& statement, Stage& stage) {
  std::string history = "ARG";
  for (const KeyValue& pair : statement.pairs) {
    std::optional<std::string> value;
    if (!FindValue(pair, stage, value)) {
      return;
    }
    Declare(pair.key.text, value, stage);
    absl::StrAppend(&history, " ", pair.key.text);
    if (value.has_value()) {
      absl::StrAppend(&history, "=", *value);
    }
  }
  stage.CommitConfig(std::move(history));
}

}  // namespace

constinit const Instruction kArg = {
    .keyword = "ARG",
    .shape = grammar::ArgumentShape::kOptionalKeyValues,
    .reads_flags = ReadsNoFlags,
    .describe = DescribePairs,
    .lower = Lower,
};

}  // namespace lamina::frontend
