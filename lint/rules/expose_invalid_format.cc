#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindExposeInvalidFormat(const Subject& subject) {
  std::vector<Finding> findings;
  for (const Place& place : FindPlaces(subject, {"EXPOSE"})) {
    for (const frontend::EvaluatedWord& port : place.evaluated->words) {
      size_t colon = port.value.rfind(':');
      if (colon == std::string::npos) {
        continue;
      }
      findings.push_back(
          {.statement = &place.statement(),
           .range = port.range,
           .detail = absl::StrCat("EXPOSE instruction should not define an IP "
                                  "address or host-port mapping, found '",
                                  port.value, "'"),
           .advice = absl::StrCat("write `", port.value.substr(colon + 1),
                                  "`; the rest is said when the container is "
                                  "started")});
    }
  }
  return findings;
}

}  // namespace

constinit const Rule kExposeInvalidFormat = {
    .name = "ExposeInvalidFormat",
    .run = FindExposeInvalidFormat,
};

}  // namespace lamina::lint
