#include "cli/completion.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "backend/store/store.h"
#include "cli/command.h"
#include "cli/store_access.h"

namespace lamina::cli {
namespace {

struct Candidates {
  absl::string_view prefix;
  std::string text;

  void Add(absl::string_view word, absl::string_view description) {
    if (absl::StartsWith(word, prefix)) {
      absl::StrAppend(&text, word, description.empty() ? "" : "\t", description,
                      "\n");
    }
  }
};

// The first word of a two-word command is offered once.
void AddCommands(absl::string_view before, Candidates& candidates) {
  std::string last;
  for (const Command* command : AllCommands()) {
    absl::string_view name = command->name;
    if (command->group.empty()) {
      continue;
    }
    if (!before.empty()) {
      if (!absl::StartsWith(name, absl::StrCat(before, " "))) {
        continue;
      }
      name.remove_prefix(before.size() + 1);
    }
    const std::vector<std::string> parts = absl::StrSplit(name, ' ');
    if (parts[0] != last) {
      candidates.Add(parts[0], parts.size() == 1 ? command->summary : "");
    }
    last = parts[0];
  }
}

void AddFlags(const Command& command, Candidates& candidates) {
  for (const Flag& flag : command.flags) {
    if (!flag.hidden && flag.status == FlagStatus::kAccepted) {
      candidates.Add(absl::StrCat("--", flag.name), flag.help);
    }
  }
  candidates.Add("--help", "explain the command");
}

// The values of a flag that takes one of a few words, "a|b|c".
void AddValues(const Command& command, absl::string_view name,
               absl::string_view before, Candidates& candidates) {
  for (const Flag& flag : command.flags) {
    if (flag.name != name || flag.status != FlagStatus::kAccepted ||
        !absl::StrContains(flag.value, "|") ||
        flag.value != absl::AsciiStrToLower(flag.value)) {
      continue;
    }
    for (absl::string_view value : absl::StrSplit(flag.value, '|')) {
      candidates.Add(absl::StrCat(before, value), "");
    }
  }
}

// Where the value of a flag stands: behind its `=`, or as a word of its own.
bool AddFlagValues(const Command& command,
                   const std::vector<std::string>& words,
                   Candidates& candidates) {
  absl::string_view last = words.back();
  size_t equals = last.find('=');
  if (absl::StartsWith(last, "--") && equals != absl::string_view::npos) {
    AddValues(command, last.substr(2, equals - 2), last.substr(0, equals + 1),
              candidates);
    return true;
  }
  absl::string_view before = words[words.size() - 2];
  if (absl::ConsumePrefix(&before, "--")) {
    AddValues(command, before, "", candidates);
  }
  return !candidates.text.empty();
}

void AddImages(backend::Store& store, Candidates& candidates) {
  absl::StatusOr<std::vector<std::pair<std::string, Digest>>> tags =
      store.ListTags();
  if (!tags.ok()) {
    return;
  }
  for (const auto& [name, id] : *tags) {
    absl::StatusOr<ir::ImageReference> reference =
        ir::ImageReference::Parse(name);
    candidates.Add(reference.ok() ? reference->Familiar() : name,
                   id.hex().substr(0, 12));
  }
}

void AddContainers(backend::Store& store, Candidates& candidates) {
  absl::StatusOr<std::vector<backend::Container>> containers =
      store.ListContainers();
  if (!containers.ok()) {
    return;
  }
  for (const backend::Container& container : *containers) {
    candidates.Add(container.name, container.image_name);
  }
}

void AddWords(const Command& command, Candidates& candidates) {
  if (command.words == Words::kCommands) {
    AddCommands("", candidates);
    return;
  }
  if (command.words != Words::kImages && command.words != Words::kContainers) {
    return;  // The shell completes files by itself.
  }
  absl::StatusOr<std::unique_ptr<backend::Store>> store =
      OpenStoreForReading(StoreRoot(""));
  if (!store.ok() || *store == nullptr) {
    return;
  }
  if (command.words == Words::kImages) {
    AddImages(**store, candidates);
  } else {
    AddContainers(**store, candidates);
  }
}

}  // namespace

std::string CompletionCandidates(const std::vector<std::string>& words) {
  Candidates candidates;
  if (words.empty()) {
    AddCommands("", candidates);
    return candidates.text;
  }
  candidates.prefix = words.back();
  if (words.size() == 1) {
    AddCommands("", candidates);
    return candidates.text;
  }
  const Command* command = FindCommand(words[0]);
  if (command == nullptr && words.size() == 2) {
    AddCommands(words[0], candidates);
    return candidates.text;
  }
  if (command == nullptr) {
    command = FindCommand(absl::StrCat(words[0], " ", words[1]));
  }
  if (command == nullptr) {
    return "";
  }
  if (AddFlagValues(*command, words, candidates)) {
    return candidates.text;
  }
  if (absl::StartsWith(words.back(), "-")) {
    AddFlags(*command, candidates);
  } else {
    AddWords(*command, candidates);
  }
  return candidates.text;
}

absl::string_view BashCompletionScript() {
  return R"script(# bash completion for lamina; load it with
#   source <(lamina completion bash)
_lamina() {
  local line cur=${COMP_WORDS[COMP_CWORD]}
  local words=() typed=${COMP_LINE:0:COMP_POINT}
  # Words as blanks part them: bash itself would cut names at every colon.
  read -ra words <<<"$typed"
  [[ $typed == *[[:space:]] ]] && words+=("")
  local last=${words[${#words[@]}-1]}
  local cut=${last%"$cur"}
  COMPREPLY=()
  while IFS= read -r line; do
    line=${line%%$'\t'*}
    COMPREPLY+=("${line#"$cut"}")
  done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -o default -F _lamina lamina
)script";
}

}  // namespace lamina::cli
