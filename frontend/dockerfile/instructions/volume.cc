#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/go_text.h"
#include "frontend/dockerfile/instruction.h"

namespace lamina::frontend {
namespace {

using grammar::Statement;
using grammar::Word;

constexpr absl::string_view kEmpty =
    "VOLUME specified can not be an empty string; name a folder";

void Check(const Statement& statement, Diagnostics& diagnostics) {
  if (statement.words.empty()) {
    diagnostics.Error("bad-arguments", ArgumentRange(statement),
                      "VOLUME requires at least one argument; name a folder");
  }
  for (const Word& word : statement.words) {
    if (absl::StripAsciiWhitespace(word.text).empty()) {
      diagnostics.Error("bad-arguments", word.range, std::string(kEmpty));
    }
  }
}

void Describe(const Statement& statement, Json& object) {
  std::vector<std::string> values;
  for (const Word& word : statement.words) {
    values.emplace_back(absl::StripAsciiWhitespace(word.text));
  }
  object.Set("values", Json::Strings(values));
}

void Lower(const Statement& statement, Stage& stage) {
  std::vector<std::string> volumes;
  for (const Word& word : statement.words) {
    std::optional<std::string> volume =
        stage.Expand(absl::StripAsciiWhitespace(word.text), word.range);
    if (!volume.has_value()) {
      return;
    }
    if (volume->empty()) {
      stage.ValueError("bad-arguments", word.range, std::string(kEmpty));
      return;
    }
    volumes.push_back(*std::move(volume));
  }
  stage.config().volumes.insert(volumes.begin(), volumes.end());
  stage.CommitConfig(absl::StrCat("VOLUME ", GoList(volumes)));
}

}  // namespace

constinit const Instruction kVolume = {
    .keyword = "VOLUME",
    .shape = grammar::ArgumentShape::kJsonOrWords,
    .check = Check,
    .describe = Describe,
    .lower = Lower,
};

}  // namespace lamina::frontend
