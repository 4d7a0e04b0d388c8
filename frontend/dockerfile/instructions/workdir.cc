#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

// A relative path is joined and cleaned; an absolute one is taken as written.
std::string Normalise(const std::string& current, const std::string& wanted) {
  if (wanted.empty()) {
    return current;
  }
  return absl::StartsWith(wanted, "/")
             ? wanted
             : CleanPath(absl::StrCat(current, "/", wanted));
}

void Lower(const grammar::Statement& statement, Stage& stage) {
  std::optional<std::string> wanted = stage.Expand(statement.text);
  if (!wanted.has_value()) {
    return;
  }
  std::string path = Normalise(stage.config().working_dir, *wanted);
  stage.config().working_dir = path;
  std::string history = absl::StrCat("WORKDIR ", path);
  if (path == "/") {
    stage.CommitConfig(std::move(history));
    return;
  }
  ir::MakeDir make = {.path = CleanPath(path), .user = stage.config().user};
  stage.CommitStep(statement, std::move(make), {}, std::move(history));
}

}  // namespace

constinit const Instruction kWorkdir = {
    .keyword = "WORKDIR",
    .shape = grammar::ArgumentShape::kText,
    .check = CheckOneText,
    .describe = DescribeText,
    .lower = Lower,
};

}  // namespace lamina::frontend
