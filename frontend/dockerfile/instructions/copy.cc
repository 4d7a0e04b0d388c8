#include "frontend/dockerfile/copy_files.h"
#include "frontend/dockerfile/instruction.h"

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

bool Accepts(absl::string_view source, SourceRange range, Stage& stage) {
  if (IsGitSource(source)) {
    stage.Error("bad-source", range,
                "source can't be a git ref for COPY; clone it in a RUN");
    return false;
  }
  if (IsHttpSource(source)) {
    stage.Error("bad-source", range,
                "source can't be a URL for COPY; fetch it in a RUN");
    return false;
  }
  return true;
}

void Lower(const Statement& statement, Stage& stage) {
  LowerCopy(statement, /*unpack=*/false, Accepts, stage);
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
