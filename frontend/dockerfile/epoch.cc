// SOURCE_DATE_EPOCH (image-config.md 5).
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/outline.h"
#include "frontend/lower.h"
#include "ir/remote_source.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;

constexpr absl::string_view kName = "SOURCE_DATE_EPOCH";

// Where a global ARG gives the value; nothing when the command line does.
std::optional<SourceRange> PlaceOfValue(const grammar::DockerfileSyntax& syntax,
                                        const BuildOptions& options) {
  std::optional<SourceRange> place;
  for (const Statement& statement : syntax.statements) {
    if (statement.keyword == "FROM") {
      break;
    }
    for (const grammar::KeyValue& pair : statement.pairs) {
      if (pair.key.text == kName && pair.value.has_value()) {
        place = pair.value->range;
      }
    }
  }
  return options.build_args.contains(std::string(kName)) ? std::nullopt : place;
}

bool IsRemoteAdd(const Statement& statement) {
  return statement.keyword == "ADD" && statement.words.size() == 2 &&
         (ir::IsHttpSource(statement.words[0].text) ||
          ir::IsGitSource(statement.words[0].text));
}

// What is wrong with a stage whose time is asked for; its source is remote, and
// nothing says the time of that yet.
std::string JudgeStage(const StageOutline& stage) {
  if (stage.base.kind != Origin::Kind::kScratch) {
    return "SOURCE_DATE_EPOCH stage must use FROM scratch";
  }
  int remote = 0;
  for (const Statement* statement : stage.body) {
    if (IsRemoteAdd(*statement)) {
      ++remote;
    } else if (statement->keyword != "ARG") {
      return absl::StrCat(
          "SOURCE_DATE_EPOCH stage does not meet source-only requirements: "
          "unsupported ",
          statement->keyword, " instruction");
    }
  }
  if (remote != 1) {
    return "SOURCE_DATE_EPOCH stage must contain exactly one remote ADD";
  }
  return "SOURCE_DATE_EPOCH from the source of a stage is not supported; give "
         "a number of seconds";
}

std::string Judge(const std::string& value, const Outline& outline) {
  std::string lower = absl::AsciiStrToLower(value);
  for (size_t i = outline.stages.size(); i-- > 0;) {
    if (outline.stages[i].name == lower) {
      return JudgeStage(outline.stages[i]);
    }
  }
  return absl::StrCat("invalid SOURCE_DATE_EPOCH: ", value,
                      "; it is a number of seconds, or `context`");
}

}  // namespace

std::optional<int64_t> FindEpoch(const grammar::DockerfileSyntax& syntax,
                                 const BuildOptions& options,
                                 Diagnostics& diagnostics) {
  Diagnostics ignored;  // Lowering reports the same mistakes.
  std::optional<Outline> outline = MakeOutline(syntax, options, {}, ignored);
  if (!outline.has_value()) {
    return std::nullopt;
  }
  auto given = options.build_args.find(std::string(kName));
  const std::string* value = given != options.build_args.end()
                                 ? &given->second
                                 : outline->globals.Find(kName);
  if (value != nullptr && *value == "context") {
    return options.context_time;
  }
  // Folders of the user have no time of their own.
  if (value == nullptr || value->empty() ||
      options.named_contexts.contains(*value)) {
    return std::nullopt;
  }
  int64_t seconds = 0;
  bool digits = value->find_first_not_of("0123456789") == std::string::npos;
  if (digits && absl::SimpleAtoi(*value, &seconds)) {
    return seconds;
  }
  diagnostics.Add({.code = "bad-epoch",
                   .range = PlaceOfValue(syntax, options),
                   .message = Judge(*value, *outline)});
  return std::nullopt;
}

}  // namespace lamina::frontend
