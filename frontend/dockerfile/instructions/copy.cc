#include "frontend/dockerfile/copy_files.h"
#include "frontend/dockerfile/instruction.h"
#include "ir/remote_source.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

constexpr FlagSpec kFlags[] = {
    {"from"},
    {"chown"},
    {"chmod"},
    {"link", FlagKind::kBool},
    {"parents", FlagKind::kBool},
    {"exclude", FlagKind::kList},
};

class Rules : public CopyRules {
 public:
  explicit Rules(Stage& stage) : stage_(stage) {}

  bool Accept(const std::string& source, SourceRange range,
              std::optional<ir::Op>& /*remote*/) override {
    if (ir::IsGitSource(source)) {
      stage_.Error("bad-source", range,
                   "source can't be a git ref for COPY; use ADD");
      return false;
    }
    if (ir::IsHttpSource(source)) {
      stage_.Error("bad-source", range,
                   "source can't be a URL for COPY; use ADD");
      return false;
    }
    return true;
  }

 private:
  Stage& stage_;
};

void Lower(const Statement& statement, Stage& stage) {
  Rules rules(stage);
  LowerCopy(statement, rules, stage);
}

}  // namespace

constinit const Instruction kCopy = {
    .keyword = "COPY",
    .shape = grammar::ArgumentShape::kJsonOrWords,
    .heredocs = true,
    .flags = kFlags,
    .check = CheckCopy,
    .describe = DescribeCopy,
    .lower = Lower,
};

}  // namespace lamina::frontend
