#include "frontend/dockerfile/instruction.h"

#include "frontend/lower.h"

namespace lamina::frontend {

std::vector<const Instruction*> AllInstructions() {
  return {
#define INSTRUCTION(name) &name,
#include "frontend/dockerfile/instructions.def"
#undef INSTRUCTION
  };
}

const Instruction* FindInstruction(absl::string_view keyword) {
  for (const Instruction* instruction : AllInstructions()) {
    if (instruction->keyword == keyword) {
      return instruction;
    }
  }
  return nullptr;
}

bool CheckStatement(const grammar::Statement& statement,
                    Diagnostics& diagnostics) {
  const Instruction* instruction = FindInstruction(statement.keyword);
  CHECK(instruction != nullptr);
  size_t reported = diagnostics.all().size();
  if (instruction->reads_flags == nullptr ||
      instruction->reads_flags(statement)) {
    CheckFlags(statement, instruction->flags, diagnostics);
  }
  if (instruction->check != nullptr) {
    instruction->check(statement, diagnostics);
  }
  for (size_t i = reported; i < diagnostics.all().size(); ++i) {
    if (diagnostics.all()[i].severity == Severity::kError) {
      return false;
    }
  }
  return true;
}

std::vector<grammar::KeywordShape> DockerfileKeywords() {
  std::vector<grammar::KeywordShape> keywords;
  for (const Instruction* instruction : AllInstructions()) {
    keywords.push_back(
        {instruction->keyword, instruction->shape, instruction->heredocs});
  }
  return keywords;
}

}  // namespace lamina::frontend
