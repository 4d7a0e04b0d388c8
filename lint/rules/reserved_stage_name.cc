#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindReservedStageName(const Subject& subject) {
  std::vector<Finding> findings;
  for (const grammar::Statement* from : FindFroms(subject)) {
    std::string name = StageName(*from);
    if (name != "scratch" && name != "context") {
      continue;
    }
    findings.push_back(
        {.statement = from,
         .range = from->words[2].range,
         .detail = absl::StrCat("Stage name should not use the same name as "
                                "reserved stage \"",
                                name, "\""),
         .advice = "give it another name"});
  }
  return findings;
}

}  // namespace

constinit const Rule kReservedStageName = {
    .name = "ReservedStageName",
    .run = FindReservedStageName,
};

}  // namespace lamina::lint
