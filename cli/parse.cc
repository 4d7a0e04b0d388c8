#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "base/text.h"

namespace lamina::cli {
namespace {

const Flag* FindFlag(const Command& command, absl::string_view name) {
  for (const Flag& flag : command.flags) {
    if (flag.name == name) {
      return &flag;
    }
  }
  return nullptr;
}

const Flag* FindShort(const Command& command, char name) {
  for (const Flag& flag : command.flags) {
    if (flag.short_name == name) {
      return &flag;
    }
  }
  return nullptr;
}

bool TakesNextWord(const Flag& flag) {
  return !flag.value.empty() && flag.bare_value.empty();
}

// "--name=v", "-n v", "-xvn v": the flag that takes the word after `arg`.
bool ConsumesNext(const Command& command, absl::string_view arg) {
  if (absl::StartsWith(arg, "--")) {
    const Flag* flag = FindFlag(command, arg.substr(2));
    return flag != nullptr && TakesNextWord(*flag);
  }
  for (size_t i = 1; i < arg.size(); ++i) {
    const Flag* flag = FindShort(command, arg[i]);
    if (flag == nullptr) {
      return false;
    }
    if (TakesNextWord(*flag)) {
      return i + 1 == arg.size();
    }
  }
  return false;
}

bool IsFlag(absl::string_view arg) { return arg.size() > 1 && arg[0] == '-'; }

struct Arguments {
  std::vector<std::string> flags;  // And the values that follow them.
  std::vector<std::string> words;
};

// Parts flags from words. "--" ends the flags, and so does the first word when
// the command wants it.
Arguments PartArguments(const Command& command,
                        const std::vector<std::string>& args) {
  Arguments parted;
  for (size_t i = 0; i < args.size(); ++i) {
    const bool word = !IsFlag(args[i]);
    if (args[i] == "--" || (word && command.flags_end_at_first_word)) {
      parted.words.insert(parted.words.end(), args.begin() + i + (word ? 0 : 1),
                          args.end());
      break;
    }
    if (word) {
      parted.words.push_back(args[i]);
      continue;
    }
    parted.flags.push_back(args[i]);
    if (ConsumesNext(command, args[i]) && i + 1 < args.size()) {
      parted.flags.push_back(args[++i]);
    }
  }
  return parted;
}

// `-f=x` means `-f x`, as in docker; CLI11 would keep the `=`.
std::string WithoutShortEquals(const Command& command, const std::string& arg) {
  if (arg.size() < 3 || arg[0] != '-' || arg[1] == '-' || arg[2] != '=') {
    return arg;
  }
  const Flag* flag = FindShort(command, arg[1]);
  return flag == nullptr ? arg : absl::StrCat("--", flag->name, arg.substr(2));
}

std::string FlagNames(const Flag& flag) {
  return flag.short_name == 0
             ? absl::StrCat("--", flag.name)
             : absl::StrCat("-", std::string(1, flag.short_name), ",--",
                            flag.name);
}

using Options = std::map<std::string, CLI::Option*, std::less<>>;

Options AddFlags(const Command& command, CLI::App& app) {
  Options options;
  for (const Flag& flag : command.flags) {
    const std::string help(flag.help);
    std::string names = FlagNames(flag);
    CLI::Option* option;
    if (TakesNextWord(flag)) {
      option = app.add_option(names, CLI::callback_t(), help);
    } else {
      const std::string bare(flag.value.empty() ? "true" : flag.bare_value);
      option = app.add_flag(
          absl::StrReplaceAll(names, {{",", absl::StrCat("{", bare, "},")}}) +
              "{" + bare + "}",
          help);
    }
    // One value an occurrence, or a list would swallow the words behind it.
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
    options[std::string(flag.name)] = option;
  }
  return options;
}

absl::Status UnknownFlag(const Command& command, absl::string_view arg) {
  const absl::string_view written = arg.substr(0, arg.find('='));
  std::vector<std::string> names;
  for (const Flag& flag : command.flags) {
    names.push_back(absl::StrCat("--", flag.name));
  }
  std::string message =
      absl::StrCat("`", command.name, "` has no flag `", written, "`");
  if (std::optional<std::string> near = Closest(written, names)) {
    absl::StrAppend(&message, "; did you mean `", *near, "`?");
  } else {
    absl::StrAppend(&message, "; see `lamina ", command.name, " --help`");
  }
  return UsageError(message);
}

// CLI11's own words name the option and the problem, but not in our style.
absl::Status Translate(const CLI::ParseError& error, const Command& command,
                       const std::vector<std::string>& args) {
  if (!args.empty() && ConsumesNext(command, args.back())) {
    return UsageError(absl::StrCat("`", args.back(), "` has no value"));
  }
  return UsageError(error.what());
}

absl::Status CheckBool(const Flag& flag, const std::string& value) {
  if (value == "true" || value == "false") {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat("`--", flag.name, "` takes `true` or `false`,",
                                 " not `", value, "`"));
}

std::string NormalBool(const std::string& value) {
  const std::string lower = absl::AsciiStrToLower(value);
  if (lower == "1" || lower == "t" || lower == "yes" || lower == "on") {
    return "true";
  }
  if (lower == "0" || lower == "f" || lower == "no" || lower == "off") {
    return "false";
  }
  return lower;
}

// LAMINA_NO_TRUNC for --no-trunc.
std::optional<std::string> FromEnvironment(const Flag& flag) {
  std::string name = absl::StrCat("LAMINA_", absl::AsciiStrToUpper(flag.name));
  absl::StrReplaceAll({{"-", "_"}}, &name);
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) {
    return std::nullopt;
  }
  return std::string(value);
}

// Applies the status of one flag that was given.
absl::Status CheckFlag(const Flag& flag, std::vector<std::string>& values) {
  if (flag.value.empty()) {
    for (std::string& value : values) {
      value = NormalBool(value);
      RETURN_IF_ERROR(CheckBool(flag, value));
    }
  }
  const bool off = flag.value.empty() && values.back() == "false";
  if (flag.status == FlagStatus::kRefused && !off) {
    return UsageError(
        absl::StrCat("`--", flag.name, "` is not supported: ", flag.reason));
  }
  if (flag.status == FlagStatus::kAcceptedWithWarning && !off) {
    PrintWarning(
        absl::StrCat("`--", flag.name, "` has no effect: ", flag.reason));
  }
  return absl::OkStatus();
}

absl::Status CheckWords(const Command& command,
                        const std::vector<std::string>& words) {
  const int count = static_cast<int>(words.size());
  const bool too_many = command.max_words >= 0 && count > command.max_words;
  if (count >= command.min_words && !too_many) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat(
      "`", command.name, "` has ", too_many ? "too many" : "too few",
      " arguments; usage: lamina ", command.name, " ", command.usage));
}

absl::StatusOr<Invocation::Values> ParseFlags(
    const Command& command, const std::vector<std::string>& args) {
  CLI::App app;
  app.set_help_flag("");
  app.allow_extras();
  const Options options = AddFlags(command, app);
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    return Translate(error, command, args);
  }
  for (const std::string& extra : app.remaining()) {
    return UnknownFlag(command, extra);
  }
  Invocation::Values values;
  for (const auto& [name, option] : options) {
    if (option->count() > 0) {
      values[name] = option->results();
    }
  }
  return values;
}

}  // namespace

absl::StatusOr<Invocation> ParseArguments(
    const Command& command, const std::vector<std::string>& args) {
  Arguments parted = PartArguments(command, args);
  for (std::string& arg : parted.flags) {
    arg = WithoutShortEquals(command, arg);
  }
  ASSIGN_OR_RETURN(Invocation::Values all, ParseFlags(command, parted.flags));
  for (const Flag& flag : command.flags) {
    std::vector<std::string>& values = all[std::string(flag.name)];
    if (values.empty()) {
      if (std::optional<std::string> value = FromEnvironment(flag)) {
        values.push_back(*value);
      }
    }
    if (values.empty()) {
      all.erase(std::string(flag.name));
      continue;
    }
    RETURN_IF_ERROR(CheckFlag(flag, values));
  }
  RETURN_IF_ERROR(CheckWords(command, parted.words));
  return Invocation(command, std::move(all), std::move(parted.words));
}

bool AsksForHelp(const Command& command, const std::vector<std::string>& args) {
  const bool short_free = FindShort(command, 'h') == nullptr;
  const std::vector<std::string> flags = PartArguments(command, args).flags;
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i] == "--help" || (short_free && flags[i] == "-h")) {
      return true;
    }
    i += ConsumesNext(command, flags[i]) ? 1 : 0;
  }
  return false;
}

}  // namespace lamina::cli
