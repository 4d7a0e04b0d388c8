#include "cli/help.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/text.h"

namespace lamina::cli {
namespace {

constexpr absl::string_view kGroups[] = {"Build", "Images", "Containers",
                                         "Storage", "Tooling"};

std::string FlagLeft(const Flag& flag) {
  std::string left = flag.short_name == 0
                         ? std::string("    ")
                         : absl::StrFormat("-%c, ", flag.short_name);
  absl::StrAppend(&left, "--", flag.name);
  if (!flag.value.empty()) {
    absl::StrAppend(&left, flag.bare_value.empty() ? " " : "[=", flag.value,
                    flag.bare_value.empty() ? "" : "]");
  }
  return left;
}

std::string FlagRight(const Flag& flag) {
  std::string right(flag.help);
  if (flag.repeatable) {
    right += " (repeatable)";
  }
  if (!flag.default_value.empty() && flag.default_value != "false") {
    absl::StrAppend(&right, " (default ", flag.default_value, ")");
  }
  switch (flag.status) {
    case FlagStatus::kAccepted:
      return right;
    case FlagStatus::kAcceptedWithWarning:
      return absl::StrCat("no effect: ", flag.reason);
    case FlagStatus::kRefused:
      return absl::StrCat("not supported: ", flag.reason);
  }
  return right;
}

void AppendFlags(const Command& command, std::string& text) {
  constexpr size_t kWidest = 30;
  size_t width = 0;
  std::vector<absl::string_view> groups;
  for (const Flag& flag : command.flags) {
    if (flag.hidden) {
      continue;
    }
    width = std::max(width, std::min(FlagLeft(flag).size(), kWidest));
    if (std::find(groups.begin(), groups.end(), flag.group) == groups.end()) {
      groups.push_back(flag.group);
    }
  }
  for (absl::string_view group : groups) {
    absl::StrAppend(&text, "\n", group.empty() ? "Flags" : group, ":\n");
    for (const Flag& flag : command.flags) {
      if (flag.group == group && !flag.hidden) {
        absl::StrAppendFormat(&text, "  %-*s  %s\n", static_cast<int>(width),
                              FlagLeft(flag), FlagRight(flag));
      }
    }
  }
}

}  // namespace

std::string VersionText() { return absl::StrCat("lamina ", LAMINA_VERSION); }

std::string OverviewHelp() {
  std::string text =
      "lamina compiles build files into container images\n\n"
      "Usage: lamina COMMAND [FLAGS] ...\n";
  for (absl::string_view group : kGroups) {
    std::string rows;
    for (const Command* command : AllCommands()) {
      if (command->group == group) {
        absl::StrAppendFormat(&rows, "  %-14s %s\n", command->name,
                              command->summary);
      }
    }
    if (!rows.empty()) {
      absl::StrAppend(&text, "\n", group, ":\n", rows);
    }
  }
  return absl::StrCat(text, "\n`lamina COMMAND --help` explains a command.\n");
}

std::string CommandHelp(const Command& command) {
  std::string text =
      absl::StrCat("lamina ", command.name, ": ", command.summary, "\n\n",
                   "Usage: lamina ", command.name, " ", command.usage, "\n");
  if (!command.examples.empty()) {
    absl::StrAppend(&text, "\nExamples:\n");
    for (absl::string_view line :
         absl::StrSplit(command.examples, '\n', absl::SkipEmpty())) {
      absl::StrAppend(&text, "  ", line, "\n");
    }
  }
  if (!command.description.empty()) {
    absl::StrAppend(&text, "\n", command.description, "\n");
  }
  AppendFlags(command, text);
  return text;
}

std::string UnknownCommand(absl::string_view name) {
  std::vector<std::string> names;
  for (const Command* command : AllCommands()) {
    if (!command->group.empty()) {
      names.emplace_back(command->name);
    }
    if (absl::StartsWith(command->name, absl::StrCat(name, " "))) {
      return absl::StrCat("`lamina ", name, "` needs a second word; see ",
                          "`lamina ", command->name, " --help`");
    }
  }
  std::string message = absl::StrCat("no command named `", name, "`");
  if (std::optional<std::string> near = Closest(name, names)) {
    return absl::StrCat(message, "; did you mean `", *near, "`?");
  }
  return absl::StrCat(message, "; `lamina` lists them");
}

}  // namespace lamina::cli
