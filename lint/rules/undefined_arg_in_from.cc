#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/flags.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// What a FROM may name: global arguments, with a value or without, and the
// arguments of the platform.
std::vector<std::string> KnownNames(const Subject& subject,
                                    const frontend::Outline& outline) {
  std::vector<std::string> known;
  for (const grammar::Statement* global : FindGlobals(subject)) {
    for (const grammar::KeyValue& pair : global->pairs) {
      known.push_back(pair.key.text);
    }
  }
  for (const auto& [name, value] : outline.globals.all()) {
    known.push_back(name);
  }
  return known;
}

std::vector<Finding> FindUndefinedArgInFrom(const Subject& subject) {
  std::vector<Finding> findings;
  if (!subject.evaluation.outline.has_value()) {
    return findings;
  }
  const frontend::Outline& outline = *subject.evaluation.outline;
  std::vector<std::string> known = KnownNames(subject, outline);
  auto check = [&](const grammar::Statement& from, absl::string_view text,
                   SourceRange range) {
    frontend::UsedNames names;
    // Words that cannot be expanded are errors already.
    frontend::ExpandWord(text, outline.escape, outline.globals, &names)
        .IgnoreError();
    for (const std::string& name : names.unset) {
      if (absl::c_linear_search(known, name)) {
        continue;
      }
      findings.push_back(
          {.statement = &from,
           .range = range,
           .detail = absl::StrCat("FROM argument '", name, "' is not declared",
                                  Hint(Closest(name, known))),
           .advice =
               absl::StrCat("write `ARG ", name, "` before the first FROM")});
    }
  };
  for (const frontend::StageOutline& stage : outline.stages) {
    if (!stage.from->words.empty()) {
      const grammar::Word& base = stage.from->words[0];
      check(*stage.from, base.text, base.range);
    }
    const grammar::Flag* platform = frontend::FindFlag(*stage.from, "platform");
    if (platform != nullptr && platform->value.has_value()) {
      check(*stage.from, *platform->value, platform->value_range);
    }
  }
  return findings;
}

}  // namespace

constinit const Rule kUndefinedArgInFrom = {
    .name = "UndefinedArgInFrom",
    .run = FindUndefinedArgInFrom,
};

}  // namespace lamina::lint
