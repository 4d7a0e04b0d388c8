#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lint/rule.h"

namespace lamina::lint {
namespace {

constexpr absl::string_view kSecret[] = {
    "apikey", "auth",  "credential", "credentials", "key",
    "passwd", "pword", "password",   "secret",      "token"};
constexpr absl::string_view kHarmless[] = {"public", "file", "version"};

bool NamesSecret(absl::string_view name) {
  std::string lower = absl::AsciiStrToLower(name);
  bool secret = false;
  for (absl::string_view part : absl::StrSplit(lower, '_')) {
    if (absl::c_linear_search(kHarmless, part)) {
      return false;
    }
    secret = secret || absl::c_linear_search(kSecret, part);
  }
  return secret;
}

std::vector<Finding> FindSecretsUsedInArgOrEnv(const Subject& subject) {
  std::vector<Finding> findings;
  for (const Place& place : FindPlaces(subject, {"ARG", "ENV"})) {
    const grammar::Statement& statement = place.statement();
    for (const grammar::KeyValue& pair : statement.pairs) {
      const frontend::EvaluatedWord* word = place.evaluated->Find(pair.key);
      const std::string& name = word == nullptr ? pair.key.text : word->value;
      if (!NamesSecret(name)) {
        continue;
      }
      findings.push_back(
          {.statement = &statement,
           .range = pair.key.range,
           .detail = absl::StrCat("Do not use ARG or ENV instructions for "
                                  "sensitive data (",
                                  statement.keyword, " \"", name, "\")"),
           .advice = "it stays in the image and its history; give it to the "
                     "step that needs it with `RUN --mount=type=secret`"});
    }
  }
  return findings;
}

}  // namespace

constinit const Rule kSecretsUsedInArgOrEnv = {
    .name = "SecretsUsedInArgOrEnv",
    .run = FindSecretsUsedInArgOrEnv,
};

}  // namespace lamina::lint
