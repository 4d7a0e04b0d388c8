#include <map>

#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindDuplicateStageName(const Subject& subject) {
  std::map<std::string, const grammar::Statement*> first;
  std::vector<Finding> findings;
  for (const grammar::Statement* from : FindFroms(subject)) {
    std::string name = StageName(*from);
    if (name.empty() || first.emplace(name, from).second) {
      continue;
    }
    findings.push_back(
        {.statement = from,
         .range = from->words[2].range,
         .detail = absl::StrCat("Duplicate stage name \"", name,
                                "\", stage names should be unique"),
         .advice = "give it another name",
         .notes = {{first[name]->words[2].range, "the name is used here"}}});
  }
  return findings;
}

}  // namespace

constinit const Rule kDuplicateStageName = {
    .name = "DuplicateStageName",
    .run = FindDuplicateStageName,
};

}  // namespace lamina::lint
