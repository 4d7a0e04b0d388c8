#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/expand.h"
#include "ir/image_reference.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// The variables of FROM as they are when nobody gives build arguments.
frontend::Variables Defaults(const Subject& subject,
                             const frontend::Outline& outline) {
  frontend::Variables defaults;
  frontend::SetPlatformArguments(outline.target_platform, outline.host,
                                 defaults);
  if (const std::string* stage = outline.globals.Find("TARGETSTAGE")) {
    defaults.Set("TARGETSTAGE", *stage);
  }
  for (const grammar::Statement* global : FindGlobals(subject)) {
    for (const grammar::KeyValue& pair : global->pairs) {
      if (pair.value.has_value()) {
        absl::StatusOr<std::string> value =
            frontend::ExpandWord(pair.value->text, outline.escape, defaults);
        defaults.Set(pair.key.text, value.ok() ? *value : "");
      }
    }
  }
  return defaults;
}

bool IsImage(absl::string_view word, char escape,
             const frontend::Variables& variables) {
  absl::StatusOr<std::string> name =
      frontend::ExpandWord(word, escape, variables);
  return name.ok() &&
         (*name == "scratch" || ir::ImageReference::Parse(*name).ok());
}

std::vector<Finding> FindInvalidDefaultArgInFrom(const Subject& subject) {
  std::vector<Finding> findings;
  if (!subject.evaluation.outline.has_value()) {
    return findings;
  }
  const frontend::Outline& outline = *subject.evaluation.outline;
  frontend::Variables defaults = Defaults(subject, outline);
  for (const frontend::StageOutline& stage : outline.stages) {
    const std::optional<frontend::FromWord>& word = stage.base_word;
    if (!word.has_value() ||
        (word->names.set.empty() && word->names.unset.empty()) ||
        IsImage(word->written, outline.escape, defaults)) {
      continue;
    }
    findings.push_back(
        {.statement = stage.from,
         .range = word->range,
         .detail = absl::StrCat("Default value for ARG ", word->written,
                                " results in empty or invalid base image name"),
         .advice = "give the ARG before the first FROM a default"});
  }
  return findings;
}

}  // namespace

constinit const Rule kInvalidDefaultArgInFrom = {
    .name = "InvalidDefaultArgInFrom",
    .run = FindInvalidDefaultArgInFrom,
};

}  // namespace lamina::lint
