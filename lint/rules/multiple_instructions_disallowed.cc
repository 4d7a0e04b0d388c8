#include <map>

#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindMultipleInstructionsDisallowed(
    const Subject& subject) {
  std::vector<Finding> findings;
  using Key = std::pair<const frontend::EvaluatedStage*, std::string>;
  std::map<Key, const grammar::Statement*> last;
  for (const Place& place :
       FindPlaces(subject, {"CMD", "ENTRYPOINT", "HEALTHCHECK"})) {
    const grammar::Statement& statement = place.statement();
    const grammar::Statement*& previous =
        last[{place.stage, statement.keyword}];
    if (previous != nullptr) {
      findings.push_back(
          {.statement = previous,
           .range = previous->keyword_word.range,
           .detail = absl::StrCat(
               "Multiple ", statement.keyword,
               " instructions should not be used in the same stage because "
               "only the last one will be used"),
           .advice = "remove this one",
           .notes = {{statement.keyword_word.range, "this one replaces it"}}});
    }
    previous = &statement;
  }
  return findings;
}

}  // namespace

constinit const Rule kMultipleInstructionsDisallowed = {
    .name = "MultipleInstructionsDisallowed",
    .run = FindMultipleInstructionsDisallowed,
};

}  // namespace lamina::lint
