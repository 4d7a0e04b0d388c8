// The table of instructions: what each of the 18 files in instructions/ says.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/diagnostic.h"
#include "base/json.h"
#include "frontend/dockerfile/flags.h"
#include "grammar/dockerfile_syntax.h"

namespace lamina::frontend {

class Stage;

struct Instruction {
  absl::string_view keyword;  // Upper case.
  grammar::ArgumentShape shape = grammar::ArgumentShape::kText;
  bool heredocs = false;
  absl::Span<const FlagSpec> flags;
  // Whether the flags of a statement are looked at; null means they are.
  bool (*reads_flags)(const grammar::Statement&) = nullptr;
  // Reports what is wrong whatever the variables are. May be null.
  void (*check)(const grammar::Statement&, Diagnostics&) = nullptr;
  // Adds the keys of `lamina parse --format=json`.
  void (*describe)(const grammar::Statement&, Json& object) = nullptr;
  // Applies a statement that passed the check. Null for FROM, which makes the
  // stage instead.
  void (*lower)(const grammar::Statement&, Stage&) = nullptr;
};

#define INSTRUCTION(name) extern const Instruction name;
#include "frontend/dockerfile/instructions.def"
#undef INSTRUCTION

// In the order of instructions.def.
std::vector<const Instruction*> AllInstructions();
const Instruction* FindInstruction(absl::string_view keyword);

// Reports wrong flags and wrong arguments; false if there was an error.
bool CheckStatement(const grammar::Statement& statement,
                    Diagnostics& diagnostics);

}  // namespace lamina::frontend
