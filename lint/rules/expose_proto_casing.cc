#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindExposeProtoCasing(const Subject& subject) {
  std::vector<Finding> findings;
  for (const Place& place : FindPlaces(subject, {"EXPOSE"})) {
    for (const frontend::EvaluatedWord& port : place.evaluated->words) {
      size_t slash = port.value.find('/');
      if (slash == std::string::npos || IsLower(port.value.substr(slash))) {
        continue;
      }
      std::string better = absl::AsciiStrToLower(port.value);
      Finding finding = {
          .statement = &place.statement(),
          .range = port.range,
          .detail = absl::StrCat("Defined protocol '", port.value,
                                 "' in EXPOSE instruction should be lowercase"),
          .advice = absl::StrCat("write `", better, "`")};
      if (port.written == port.value) {
        finding.fix = Replace(port.range, better);
      }
      findings.push_back(std::move(finding));
    }
  }
  return findings;
}

}  // namespace

constinit const Rule kExposeProtoCasing = {
    .name = "ExposeProtoCasing",
    .run = FindExposeProtoCasing,
};

}  // namespace lamina::lint
