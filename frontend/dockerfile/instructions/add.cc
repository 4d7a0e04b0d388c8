#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/copy_files.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

constexpr FlagSpec kFlags[] = {
    {"chown"},
    {"chmod"},
    {"link", FlagKind::kBool},
    {"exclude", FlagKind::kList},
    {"keep-git-dir", FlagKind::kBool},
    {"checksum"},
    {"unpack", FlagKind::kBool},
};

bool Accepts(absl::string_view source, SourceRange range, Stage& stage) {
  bool git = IsGitSource(source);
  if (git || IsHttpSource(source)) {
    stage.Error(
        "unsupported-source", range,
        absl::StrCat("ADD of ", git ? "git sources" : "URLs",
                     " is not supported; fetch `", source, "` in a RUN"));
    return false;
  }
  return true;
}

void LowerAdd(const Statement& statement, Stage& stage) {
  const grammar::Flag* checksum = FindFlag(statement, "checksum");
  bool remote = false;
  for (const grammar::Word& word : statement.words) {
    remote = remote || IsGitSource(word.text) || IsHttpSource(word.text);
  }
  if (checksum != nullptr && !checksum->value->empty() && !remote) {
    stage.Error("bad-flag", NameRange(*checksum),
                statement.words.size() > 2
                    ? "checksum can't be specified for multiple sources; "
                      "remove it, or write an ADD for each source"
                    : "checksum requires HTTP(S) or Git sources; remove it");
    return;
  }
  LowerCopy(statement, FlagIsTrue(statement, "unpack", /*otherwise=*/true),
            Accepts, stage);
}

}  // namespace

constinit const Instruction kAdd = {
    .keyword = "ADD",
    .shape = grammar::ArgumentShape::kJsonOrWords,
    .heredocs = true,
    .flags = kFlags,
    .check = CheckCopy,
    .describe = DescribeCopy,
    .lower = LowerAdd,
};

}  // namespace lamina::frontend
