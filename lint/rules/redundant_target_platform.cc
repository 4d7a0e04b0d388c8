#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/flags.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

// Whether the word is that variable and nothing else.
bool IsTargetPlatform(const frontend::FromWord& word,
                      const frontend::Outline& outline) {
  const std::string* target = outline.globals.Find("TARGETPLATFORM");
  return word.names.unset.empty() &&
         word.names.set == std::vector<std::string>{"TARGETPLATFORM"} &&
         word.value == *target;
}

std::vector<Finding> FindRedundantTargetPlatform(const Subject& subject) {
  std::vector<Finding> findings;
  for (const frontend::StageOutline* stage : FindStages(subject)) {
    const std::optional<frontend::FromWord>& word = stage->platform_word;
    if (!word.has_value() ||
        !IsTargetPlatform(*word, *subject.evaluation.outline)) {
      continue;
    }
    SourceRange flag = frontend::FindFlag(*stage->from, "platform")->range;
    // With the blanks behind it.
    SourceRange whole = {flag.begin, stage->from->words.empty()
                                         ? flag.end
                                         : stage->from->words[0].range.begin};
    findings.push_back({.statement = stage->from,
                        .range = flag,
                        .detail = absl::StrCat(
                            "Setting platform to predefined ", word->written,
                            " in FROM is redundant as this is the default "
                            "behavior"),
                        .advice = "remove the flag",
                        .fix = Fix{"remove the flag", {{whole, ""}}}});
  }
  return findings;
}

}  // namespace

constinit const Rule kRedundantTargetPlatform = {
    .name = "RedundantTargetPlatform",
    .run = FindRedundantTargetPlatform,
};

}  // namespace lamina::lint
