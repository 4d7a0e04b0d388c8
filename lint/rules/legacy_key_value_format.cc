#include "absl/strings/str_cat.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

std::vector<Finding> FindLegacyKeyValueFormat(const Subject& subject) {
  std::vector<Finding> findings;
  for (const Place& place : FindPlaces(subject, {"ENV", "LABEL"})) {
    const grammar::Statement& statement = place.statement();
    if (!statement.legacy_pair || statement.pairs.empty()) {
      continue;
    }
    const grammar::KeyValue& pair = statement.pairs[0];
    std::string value = pair.value.has_value() ? pair.value->text : "";
    bool plain = value.find_first_of(" \t\"'\\`") == std::string::npos;
    std::string better = absl::StrCat(
        pair.key.text, "=", plain ? value : absl::StrCat("\"", value, "\""));
    // Quotes and escapes inside would mean something else in the new form.
    bool safe = value.find_first_of("\"'\\`") == std::string::npos;
    Finding finding = {
        .statement = &statement,
        .range = statement.text.range,
        .detail = absl::StrCat("\"", statement.keyword,
                               " key=value\" should be used instead of legacy "
                               "\"",
                               statement.keyword, " key value\" format"),
        .advice = safe ? absl::StrCat("write `", better, "`")
                       : "put `=` between the two and the value into quotes"};
    if (safe) {
      finding.fix = Replace(statement.text.range, better);
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace

constinit const Rule kLegacyKeyValueFormat = {
    .name = "LegacyKeyValueFormat",
    .run = FindLegacyKeyValueFormat,
};

}  // namespace lamina::lint
