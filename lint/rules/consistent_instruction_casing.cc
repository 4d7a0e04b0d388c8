#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// Global arguments neither count nor have to agree.
std::vector<const grammar::Statement*> InStages(const Subject& subject) {
  std::vector<const grammar::Statement*> statements;
  for (const grammar::Statement& statement : subject.syntax.statements) {
    if (!statements.empty() || statement.keyword == "FROM") {
      statements.push_back(&statement);
    }
  }
  return statements;
}

std::vector<Finding> FindConsistentInstructionCasing(const Subject& subject) {
  int lower = 0;
  int upper = 0;
  std::vector<const grammar::Statement*> statements = InStages(subject);
  for (const grammar::Statement* statement : statements) {
    lower += IsLower(statement->keyword_word.text) ? 1 : 0;
    upper += IsUpper(statement->keyword_word.text) ? 1 : 0;
  }
  bool majority_lower = lower > upper;
  std::vector<Finding> findings;
  for (const grammar::Statement* statement : statements) {
    const grammar::Word& word = statement->keyword_word;
    std::string better = majority_lower
                             ? absl::AsciiStrToLower(statement->keyword)
                             : statement->keyword;
    if (word.text == better) {
      continue;
    }
    findings.push_back({.statement = statement,
                        .range = word.range,
                        .detail = absl::StrCat(
                            "Command '", word.text,
                            "' should match the case of the command majority (",
                            majority_lower ? "lowercase" : "uppercase", ")"),
                        .advice = absl::StrCat("write `", better, "`"),
                        .fix = Replace(word.range, better)});
  }
  return findings;
}

}  // namespace

constinit const Rule kConsistentInstructionCasing = {
    .name = "ConsistentInstructionCasing",
    .run = FindConsistentInstructionCasing,
};

}  // namespace lamina::lint
