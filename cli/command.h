// A subcommand as data: help, completion, parsing and did-you-mean are all made
// from this table, so a flag is written down once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace lamina::cli {

enum class FlagStatus {
  kAccepted,             // With its full meaning.
  kAcceptedWithWarning,  // No effect here by nature; `reason` says why.
  kRefused,              // `reason` says why and what to use instead.
};

struct Flag {
  absl::string_view name;   // Without dashes.
  char short_name = 0;      // 0 is none.
  absl::string_view value;  // Placeholder such as "FILE"; empty: a bool flag.
  absl::string_view help;   // Lower case, no final stop.
  bool repeatable = false;
  absl::string_view default_value;
  // Not empty: the value may be left out and is this then. A value is only
  // recognised as `--flag=v`.
  absl::string_view bare_value;
  FlagStatus status = FlagStatus::kAccepted;
  absl::string_view reason;
  absl::string_view group;  // Heading in the help; empty: "Flags".
  bool hidden = false;      // Left out of the help and of completion.
};

// What the words of a command name, for completion.
enum class Words { kFiles, kImages, kContainers, kCommands, kNone };

class Invocation;

struct Command {
  absl::string_view name;     // "images"; two words for "system df".
  absl::string_view group;    // A heading of the overview; empty: hidden.
  absl::string_view summary;  // One line, lower case, no final stop.
  absl::string_view usage;    // After the name: "[FLAGS] IMAGE...".
  absl::Span<const Flag> flags;
  int min_words = 0;
  int max_words = 0;  // -1 is no limit.
  // The first word ends the flags: the rest is a command (`run`).
  bool flags_end_at_first_word = false;
  Words words = Words::kNone;
  absl::string_view description;  // More than the summary; may be empty.
  absl::string_view examples;     // Lines of "lamina ..."; may be empty.
  // Returns the exit code. An error is printed as `error: ...`; its exit code
  // is the one of UsageError() and its like below, else 3 (the world).
  absl::StatusOr<int> (*run)(const Invocation& invocation) = nullptr;
};

#define COMMAND(name) extern const Command name;
#include "cli/commands/commands.def"
#undef COMMAND

// In the order of commands.def.
const std::vector<const Command*>& AllCommands();
const Command* FindCommand(absl::string_view name);

// One parsed command line. Asking for a flag that the table does not have, or
// for the wrong kind of value, is our own bug (CHECK).
class Invocation {
 public:
  using Values = std::map<std::string, std::vector<std::string>, std::less<>>;
  Invocation(const Command& command, Values values,
             std::vector<std::string> words)
      : command_(command),
        values_(std::move(values)),
        words_(std::move(words)) {}

  const Command& command() const { return command_; }
  // What is left after the flags.
  const std::vector<std::string>& words() const { return words_; }
  // The same flags with other words.
  Invocation WithWords(std::vector<std::string> words) const {
    return Invocation(command_, values_, std::move(words));
  }

  // True if the flag was given, on the command line or in the environment.
  bool Has(absl::string_view name) const;
  bool GetBool(absl::string_view name) const;
  // The last value given, or the default.
  std::string Get(absl::string_view name) const;
  std::vector<std::string> GetAll(absl::string_view name) const;
  // Errors are usage errors that name the flag and the value.
  absl::StatusOr<int64_t> GetInt(absl::string_view name) const;
  // Bytes: "64m", "1.5g", "512k", "100".
  absl::StatusOr<int64_t> GetSize(absl::string_view name) const;
  // Seconds: "1m30s", "500ms", "90".
  absl::StatusOr<double> GetDuration(absl::string_view name) const;

 private:
  const Flag& Lookup(absl::string_view name) const;
  const Command& command_;
  Values values_;
  std::vector<std::string> words_;
};

// Errors that end the program with a code of their own.
absl::Status WithExitCode(const absl::Status& status, int code);
absl::Status UserError(absl::string_view message);   // 1: what was asked for
                                                     // cannot be done.
absl::Status UsageError(absl::string_view message);  // 2
int ExitCodeOf(const absl::Status& status);          // 3 unless given above.

// Lines on stderr: "warning: ...", "error: ...". Control characters in the
// message are escaped, line ends kept.
void PrintWarning(absl::string_view message);
void PrintError(absl::string_view message);
// The result of a command, on stdout. A closed pipe ends the output silently;
// any other failure is an error.
absl::Status PrintResult(absl::string_view text);

}  // namespace lamina::cli
