#include "frontend/dockerfile/expand.h"

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontend/dockerfile/pattern.h"
#include "grammar/word_syntax.h"

namespace lamina::frontend {
namespace {

using grammar::WordPart;

// What words are expanded with, and what is remembered of it.
struct Scope {
  const Variables& variables;
  UsedNames* names = nullptr;

  const std::string* Find(const std::string& name) const {
    const std::string* value = variables.Find(name);
    if (names != nullptr) {
      std::vector<std::string>& used =
          value == nullptr ? names->unset : names->set;
      if (!absl::c_linear_search(used, name)) {
        used.push_back(name);
      }
    }
    return value;
  }
};

absl::StatusOr<std::string> ExpandParts(const std::vector<WordPart>& parts,
                                        const Scope& scope);

absl::StatusOr<SubstitutionPattern> CompilePattern(const WordPart& part,
                                                   const Scope& scope) {
  ASSIGN_OR_RETURN(std::string text, ExpandParts(part.argument, scope));
  absl::StatusOr<SubstitutionPattern> pattern =
      SubstitutionPattern::Compile(text);
  if (!pattern.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid pattern (", text,
                     ") in substitution: ", pattern.status().message()));
  }
  return pattern;
}

// ${v#p} ${v%p} ${v/p/r} and their long forms.
absl::StatusOr<std::string> ExpandPattern(const WordPart& part,
                                          const std::string* value,
                                          const Scope& scope) {
  ASSIGN_OR_RETURN(SubstitutionPattern pattern, CompilePattern(part, scope));
  ASSIGN_OR_RETURN(std::string replacement,
                   ExpandParts(part.replacement, scope));
  if (value == nullptr) {
    return "";
  }
  bool longer = part.modifier.size() == 2;
  switch (part.modifier[0]) {
    case '#':
      return pattern.DropPrefix(*value, longer);
    case '%':
      return pattern.DropSuffix(*value, longer);
    default:
      return pattern.Replace(*value, replacement, longer);
  }
}

absl::StatusOr<std::string> ExpandVariable(const WordPart& part,
                                           const Scope& scope) {
  const std::string* value = scope.Find(part.text);
  if (part.modifier.empty()) {
    return value == nullptr ? "" : *value;
  }
  if (absl::StrContains("#%/", part.modifier.substr(0, 1))) {
    return ExpandPattern(part, value, scope);
  }
  ASSIGN_OR_RETURN(std::string word, ExpandParts(part.argument, scope));
  bool colon = part.modifier[0] == ':';
  bool present = value != nullptr && !(colon && value->empty());
  switch (part.modifier.back()) {
    case '-':
      return present ? *value : word;
    case '+':
      return present ? word : "";
    default:
      break;
  }
  CHECK(part.modifier.back() == '?');
  if (present) {
    return *value;
  }
  if (value == nullptr && !scope.variables.complete()) {
    return "";
  }
  if (word.empty()) {
    word = absl::StrCat("is not allowed to be ",
                        value == nullptr ? "unset" : "empty");
  }
  return absl::InvalidArgumentError(absl::StrCat(part.text, ": ", word));
}

absl::StatusOr<std::string> ExpandPart(const WordPart& part,
                                       const Scope& scope) {
  if (part.kind == WordPart::Kind::kLiteral) {
    return part.text;
  }
  return ExpandVariable(part, scope);
}

absl::StatusOr<std::string> ExpandParts(const std::vector<WordPart>& parts,
                                        const Scope& scope) {
  std::string result;
  for (const WordPart& part : parts) {
    ASSIGN_OR_RETURN(std::string text, ExpandPart(part, scope));
    result += text;
  }
  return result;
}

std::string ReplaceInvalidUtf8(std::string text) {
  std::string result;
  for (absl::string_view character : SplitCharacters(text)) {
    bool stray = character.size() == 1 && (character[0] & 0x80) != 0;
    absl::StrAppend(&result, stray ? "\xEF\xBF\xBD" : character);
  }
  return result;
}

absl::Status Wrap(absl::string_view word, const absl::Status& cause) {
  return absl::InvalidArgumentError(
      absl::StrCat("failed to process \"", word, "\": ", cause.message()));
}

absl::StatusOr<std::string> ExpandText(absl::string_view text,
                                       const grammar::WordOptions& options,
                                       const Scope& scope) {
  absl::StatusOr<std::vector<WordPart>> parts =
      grammar::ParseWord(text, options);
  if (!parts.ok()) {
    return Wrap(text, parts.status());
  }
  absl::StatusOr<std::string> result = ExpandParts(*parts, scope);
  if (!result.ok()) {
    return Wrap(text, result.status());
  }
  return ReplaceInvalidUtf8(*std::move(result));
}

}  // namespace

const std::string* Variables::Find(absl::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) {
      return &value;
    }
  }
  return nullptr;
}

void Variables::Set(absl::string_view name, absl::string_view value) {
  for (auto& [known, old] : values_) {
    if (known == name) {
      old = std::string(value);
      return;
    }
  }
  values_.emplace_back(name, value);
}

absl::StatusOr<std::string> ExpandWord(absl::string_view word, char escape,
                                       const Variables& variables,
                                       UsedNames* names) {
  return ExpandText(word, {.escape = escape}, {variables, names});
}

absl::StatusOr<std::vector<std::string>> ExpandAndSplit(
    absl::string_view word, char escape, const Variables& variables) {
  absl::StatusOr<std::vector<WordPart>> parts =
      grammar::ParseWord(word, {.escape = escape});
  if (!parts.ok()) {
    return Wrap(word, parts.status());
  }
  std::vector<std::string> words(1);
  for (const WordPart& part : *parts) {
    absl::StatusOr<std::string> text = ExpandPart(part, {variables});
    if (!text.ok()) {
      return Wrap(word, text.status());
    }
    bool splits = part.kind == WordPart::Kind::kVariable && !part.quoted;
    for (char c : *text) {
      if (splits && absl::ascii_isspace(c)) {
        words.emplace_back();
      } else {
        words.back().push_back(c);
      }
    }
  }
  std::erase(words, "");
  return words;
}

absl::StatusOr<std::string> ExpandHeredoc(absl::string_view body,
                                          const Variables& variables,
                                          UsedNames* names) {
  absl::StatusOr<std::string> text =
      ExpandText(body, {.escape = '\\', .quotes = false}, {variables, names});
  if (text.ok()) {
    return text;
  }
  // The whole body would hide the cause.
  absl::string_view message = text.status().message();
  size_t cause = message.rfind("\": ");
  return absl::InvalidArgumentError(
      absl::StrCat("failed to process the heredoc: ",
                   message.substr(cause == message.npos ? 0 : cause + 3)));
}

std::string ExpansionHint(absl::string_view message) {
  if (absl::StrContains(message, "is not allowed to be ")) {
    return "; set it with ENV, or with ARG and --build-arg";
  }
  if (absl::StrContains(message, "looking for matching")) {
    return "; close the quote, or escape it";
  }
  bool form = absl::StrContains(message, "substitution") ||
              absl::StrContains(message, "missing '");
  return form ? "; escape the `$` if no variable is meant" : "";
}

}  // namespace lamina::frontend
