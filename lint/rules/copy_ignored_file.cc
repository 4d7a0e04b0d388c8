#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "frontend/dockerfile/flags.h"
#include "ir/remote_source.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

bool IsIgnored(const std::string& source, const ir::IgnoreMatcher& ignores) {
  std::string path = CleanPath(absl::StrCat("/", source)).substr(1);
  if (path.empty()) {
    return ignores.NamesEverything();
  }
  ir::IgnoreMemory unused;
  return ignores.Ignored(path, {}, unused);
}

std::vector<Finding> FindCopyIgnoredFile(const Subject& subject) {
  std::vector<Finding> findings;
  if (subject.ignores.empty() || subject.ignores.has_exclusions()) {
    return findings;
  }
  for (const Place& place : FindPlaces(subject, {"COPY", "ADD"})) {
    const grammar::Statement& statement = place.statement();
    if (!frontend::FlagText(statement, "from").empty()) {
      continue;
    }
    for (size_t i = 0; i + 1 < statement.words.size(); ++i) {
      const frontend::EvaluatedWord* source =
          place.evaluated->Find(statement.words[i]);
      // A heredoc is not evaluated here.
      if (source == nullptr || ir::IsHttpSource(source->value) ||
          ir::IsGitSource(source->value) ||
          !IsIgnored(source->value, subject.ignores)) {
        continue;
      }
      findings.push_back(
          {.statement = &statement,
           .range = source->range,
           .detail = absl::StrCat("Attempting to ",
                                  statement.keyword == "ADD" ? "Add" : "Copy",
                                  " file \"", source->value,
                                  "\" that is excluded by .dockerignore"),
           .advice = "take it out of the ignore file, or do not copy it"});
    }
  }
  return findings;
}

}  // namespace

constinit const Rule kCopyIgnoredFile = {
    .name = "CopyIgnoredFile",
    .run = FindCopyIgnoredFile,
};

}  // namespace lamina::lint
