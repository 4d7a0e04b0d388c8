#include "cli/config_change.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"

namespace lamina::cli {
namespace {

using Strings = std::vector<std::string>;

absl::StatusOr<Strings> JsonWords(absl::string_view text) {
  absl::StatusOr<Json> json = ParseJson(text);
  bool strings = json.ok() && std::all_of(json->array().begin(),
                                          json->array().end(),
                                          [](const Json& element) {
                                            return element.is_string();
                                          });
  if (!strings) {
    return UsageError(absl::StrCat("`", text, "` is no list of strings"));
  }
  return json->strings();
}

bool LooksLikeJson(absl::string_view text) {
  return absl::StartsWith(text, "[") && absl::EndsWith(text, "]");
}

// The exec form as it is, the shell form with the image's shell.
absl::StatusOr<Strings> CommandOf(absl::string_view text,
                                  const ir::ImageConfig& config) {
  if (LooksLikeJson(text)) {
    return JsonWords(text);
  }
  Strings command = config.shell;
  if (command.empty()) {
    command = {"/bin/sh", "-c"};
  }
  command.emplace_back(text);
  return command;
}

// "a=1 b=2", or docker's old "a 1".
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Pairs(
    absl::string_view text) {
  ASSIGN_OR_RETURN(Strings words, SplitWords(text));
  std::vector<std::pair<std::string, std::string>> pairs;
  if (!words.empty() && !absl::StrContains(words[0], '=')) {
    if (words.size() == 1) {
      return UsageError(absl::StrCat("`", words[0], "` has no value"));
    }
    const size_t blank = text.find_first_of(" \t");
    return {{{words[0],
              std::string(absl::StripAsciiWhitespace(text.substr(blank)))}}};
  }
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageError(absl::StrCat("`", word, "` is not NAME=VALUE"));
    }
    pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return pairs;
}

absl::Status SetPairs(absl::string_view keyword, absl::string_view text,
                      ir::ImageConfig& config) {
  ASSIGN_OR_RETURN(auto pairs, Pairs(text));
  for (const auto& [name, value] : pairs) {
    if (keyword == "ENV") {
      config.SetEnv(name, value);
    } else {
      config.labels[name] = value;
    }
  }
  return absl::OkStatus();
}

absl::Status SetLists(absl::string_view keyword, absl::string_view text,
                      ir::ImageConfig& config) {
  ASSIGN_OR_RETURN(Strings words,
                   LooksLikeJson(text) ? JsonWords(text) : SplitWords(text));
  for (const std::string& word : words) {
    if (keyword == "VOLUME") {
      config.volumes.insert(word);
    } else {
      config.exposed_ports.insert(
          absl::StrContains(word, '/') ? word : absl::StrCat(word, "/tcp"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Strings> SplitWords(absl::string_view text) {
  Strings words;
  bool open = false;  // A word was begun, if only by quotes.
  char quote = 0;
  std::string word;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
      open = true;
    } else if (quote != 0 ? c == quote : c == '"' || c == '\'') {
      quote = quote != 0 ? 0 : c;
      open = true;
    } else if (quote == 0 && absl::ascii_isspace(c)) {
      if (open) {
        words.push_back(std::exchange(word, ""));
      }
      open = false;
    } else {
      word += c;
      open = true;
    }
  }
  if (quote != 0) {
    return UsageError(absl::StrCat("a quote in `", text, "` is not closed"));
  }
  if (open) {
    words.push_back(word);
  }
  return words;
}

absl::Status ApplyChange(absl::string_view instruction,
                         ir::ImageConfig& config) {
  instruction = absl::StripAsciiWhitespace(instruction);
  const size_t blank =
      std::min(instruction.find_first_of(" \t"), instruction.size());
  const std::string keyword =
      absl::AsciiStrToUpper(instruction.substr(0, blank));
  const absl::string_view text =
      absl::StripAsciiWhitespace(instruction.substr(blank));
  if (text.empty()) {
    return UsageError(absl::StrCat("`--change ", instruction,
                                   "` has nothing after the instruction"));
  }
  if (keyword == "CMD") {
    ASSIGN_OR_RETURN(config.cmd, CommandOf(text, config));
  } else if (keyword == "ENTRYPOINT") {
    ASSIGN_OR_RETURN(config.entrypoint, CommandOf(text, config));
  } else if (keyword == "ENV" || keyword == "LABEL") {
    return SetPairs(keyword, text, config);
  } else if (keyword == "EXPOSE" || keyword == "VOLUME") {
    return SetLists(keyword, text, config);
  } else if (keyword == "USER") {
    config.user = std::string(text);
  } else if (keyword == "STOPSIGNAL") {
    config.stop_signal = std::string(text);
  } else if (keyword == "WORKDIR") {
    config.working_dir =
        CleanPath(text[0] == '/' ? std::string(text)
                                 : JoinPath(config.working_dir, text));
  } else {
    return UsageError(absl::StrCat(
        "`--change` does not take `", keyword,
        "`; it takes CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, ",
        "VOLUME and WORKDIR"));
  }
  return absl::OkStatus();
}

absl::Status ApplyChanges(const Strings& instructions,
                          ir::ImageConfig& config) {
  for (const std::string& instruction : instructions) {
    RETURN_IF_ERROR(ApplyChange(instruction, config));
  }
  return absl::OkStatus();
}

}  // namespace lamina::cli
