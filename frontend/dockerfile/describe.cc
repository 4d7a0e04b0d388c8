#include "base/files.h"
#include "base/json.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/lower.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

Json DescribeStatement(const Statement& statement) {
  Json object = Json::Object();
  object.Set("keyword", statement.keyword);
  object.Set("line", int64_t{statement.line});
  object.Set("end_line", int64_t{statement.end_line});
  if (!statement.flags.empty()) {
    Json flags = Json::Array();
    for (const grammar::Flag& flag : statement.flags) {
      flags.Append(flag.written);
    }
    object.Set("flags", std::move(flags));
  }
  FindInstruction(statement.keyword)->describe(statement, object);
  return object;
}

}  // namespace

std::string DescribeDockerfile(const grammar::DockerfileSyntax& syntax,
                               const SourceFile& source,
                               Diagnostics& diagnostics) {
  bool in_stage = false;
  for (const Statement& statement : syntax.statements) {
    in_stage = in_stage || statement.keyword == "FROM";
    CheckStatement(statement, diagnostics);
    if (!in_stage && statement.keyword != "ARG") {
      diagnostics.Error("no-stage", statement.keyword_word.range,
                        "no build stage in current context; write a FROM "
                        "before it");
    }
  }
  Json object = Json::Object();
  object.Set("file", std::string(BaseName(source.name())));
  object.Set("ok", !diagnostics.has_errors());
  if (diagnostics.has_errors()) {
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      if (diagnostic.severity == Severity::kError) {
        object.Set("error", diagnostic.message);
        break;
      }
    }
    return PrintJson(object);
  }
  object.Set("escape", std::string(1, syntax.escape));
  Json instructions = Json::Array();
  for (const Statement& statement : syntax.statements) {
    instructions.Append(DescribeStatement(statement));
  }
  object.Set("instructions", std::move(instructions));
  return PrintJson(object);
}

}  // namespace lamina::frontend
