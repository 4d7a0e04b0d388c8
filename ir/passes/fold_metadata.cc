// Turns `COPY x /d/` and `RUN chmod M /d/x` into `COPY --chmod=M x /d/`, and
// chown alike: the bytes are written once, and no command runs.
//
// The command must be just that, by root, on just what the COPY placed. Modes
// are folded as changes (`u=rwx,go=rx`), for an octal --chmod also sets the
// folders that a COPY makes. Owners do that in any case, so the folder must be
// there. Where COPY would do more or less than the command, nothing is done.
#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "ir/known_tree.h"
#include "ir/pass.h"
#include "ir/rewrite.h"

namespace lamina::ir {
namespace {

// A chmod or chown without options but -R.
struct Command {
  bool is_chown = false;
  bool recursive = false;
  std::string value;               // As COPY takes it.
  std::vector<std::string> paths;  // Absolute, clean.
};

// The words of the command, if a shell passes them on as they are.
std::optional<std::vector<std::string>> PlainWords(const Run& run) {
  if (run.args.size() != 3 || run.args[0] != "/bin/sh" || run.args[1] != "-c") {
    return run.args;
  }
  for (char c : run.args[2]) {
    if (!absl::ascii_isalnum(c) &&
        !absl::StrContains("_./:+=,-@% \t", std::string(1, c))) {
      return std::nullopt;
    }
  }
  return absl::StrSplit(run.args[2], absl::ByAnyChar(" \t"), absl::SkipEmpty());
}

// Variables that make a shell or chmod another one.
bool IsUsualEnv(const std::string& variable) {
  std::pair<std::string, std::string> pair =
      absl::StrSplit(variable, absl::MaxSplits('=', 1));
  if (pair.first != "PATH") {
    return !absl::StartsWith(pair.first, "LD_") && pair.first != "ENV" &&
           pair.first != "BASH_ENV";
  }
  static constexpr absl::string_view kUsual[] = {
      "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
      "/usr/bin",        "/sbin",          "/bin"};
  for (absl::string_view folder : absl::StrSplit(pair.second, ':')) {
    if (std::find(std::begin(kUsual), std::end(kUsual), folder) ==
        std::end(kUsual)) {
      return false;
    }
  }
  return true;
}

bool HasNoOtherEffect(const Run& run) {
  bool is_root = run.user.empty() || run.user == "0" || run.user == "0:0";
  return is_root && run.mounts.empty() && run.scripts.empty() &&
         std::all_of(run.env.begin(), run.env.end(), IsUsualEnv);
}

// One class of an octal mode: 7 is `rwx`.
std::string Permissions(char digit) {
  int bits = digit - '0';
  return absl::StrCat((bits & 4) != 0 ? "r" : "", (bits & 2) != 0 ? "w" : "",
                      (bits & 1) != 0 ? "x" : "");
}

// A mode of chmod(1) as changes that COPY reads alike; nothing for the rest.
std::optional<std::string> FoldMode(absl::string_view mode) {
  if (mode.size() == 4 && mode[0] == '0') {
    mode.remove_prefix(1);
  }
  if (mode.size() == 3 &&
      mode.find_first_not_of("01234567") == absl::string_view::npos) {
    return absl::StrCat("u=", Permissions(mode[0]), ",g=", Permissions(mode[1]),
                        ",o=", Permissions(mode[2]));
  }
  std::vector<std::string> clauses;
  for (absl::string_view clause : absl::StrSplit(mode, ',')) {
    size_t at = clause.find_first_of("+-=");
    if (at == absl::string_view::npos || at + 1 == clause.size()) {
      return std::nullopt;
    }
    absl::string_view who = clause.substr(0, at);
    absl::string_view what = clause.substr(at + 1);
    // Without a class the mask of the process counts; it leaves r and x alone.
    bool masked =
        who.empty() && (clause[at] != '+' || absl::StrContains(what, "w"));
    if (masked || who.find_first_not_of("ugoa") != absl::string_view::npos ||
        what.find_first_not_of("rwxX") != absl::string_view::npos) {
      return std::nullopt;
    }
    clauses.push_back(absl::StrCat(who.empty() ? "a" : "", clause));
  }
  return absl::StrJoin(clauses, ",");
}

std::optional<std::string> FoldOwner(const std::string& owner) {
  std::pair<std::string, std::string> ids =
      absl::StrSplit(owner, absl::MaxSplits(':', 1));
  uint32_t uid = 0;
  uint32_t gid = 0;
  bool numbers = absl::SimpleAtoi(ids.first, &uid) &&
                 absl::SimpleAtoi(ids.second, &gid) &&
                 owner == absl::StrCat(uid, ":", gid);
  return numbers ? std::optional(owner) : std::nullopt;
}

std::optional<Command> ReadCommand(const Run& run) {
  std::optional<std::vector<std::string>> words = PlainWords(run);
  if (!words || words->size() < 3 || !HasNoOtherEffect(run)) {
    return std::nullopt;
  }
  Command command;
  command.is_chown = (*words)[0] == "chown";
  command.recursive = (*words)[1] == "-R";
  size_t at = command.recursive ? 2 : 1;
  if ((!command.is_chown && (*words)[0] != "chmod") || words->size() < at + 2) {
    return std::nullopt;
  }
  std::optional<std::string> value =
      command.is_chown ? FoldOwner((*words)[at]) : FoldMode((*words)[at]);
  if (!value || absl::StartsWith((*words)[at], "-")) {
    return std::nullopt;
  }
  command.value = *value;
  for (size_t i = at + 1; i < words->size(); ++i) {
    const std::string& word = (*words)[i];
    if (absl::StartsWith(word, "-") || absl::StrContains(word, "..")) {
      return std::nullopt;
    }
    command.paths.push_back(
        CleanPath(absl::StartsWith(word, "/")
                      ? word
                      : absl::StrCat(run.working_dir, "/", word)));
  }
  return command;
}

// Neither set-id bits, which chown clears and chmod keeps on folders, nor
// extended attributes, which both may change.
bool AreOrdinary(const std::vector<Facts::Picked>& picks) {
  return std::all_of(picks.begin(), picks.end(), [](const auto& picked) {
    return (picked.entry.type == EntryType::kFile ||
            picked.entry.type == EntryType::kDirectory) &&
           (picked.entry.mode & 07000) == 0 && picked.entry.xattrs.empty();
  });
}

// True if a further change can be written behind `chmod`.
bool CanBeContinued(const std::string& chmod) {
  return chmod.empty() || (!absl::ascii_isdigit(chmod[0]) &&
                           chmod.find_first_of("st") == std::string::npos);
}

class MetadataFolder {
 public:
  MetadataFolder(const BuildGraph& graph, const Facts& facts)
      : graph_(graph),
        facts_(facts),
        uses_(CountUses(graph)),
        successors_(EachStays(graph)) {}

  Rewrite Fold() {
    for (uint32_t index = 0; index < graph_.nodes.size(); ++index) {
      Visit(NodeId{index});
    }
    Rewrite rewrite = ReplaceNodes(graph_, successors_, History::kEmpty);
    rewrite.witnesses = std::move(witnesses_);
    return rewrite;
  }

 private:
  void Visit(NodeId id) {
    const auto* run = std::get_if<Run>(&graph_.nodes[id].op);
    std::optional<Command> command;
    if (run == nullptr || !(command = ReadCommand(*run)).has_value()) {
      return;
    }
    NodeId parent = graph_.nodes[id].inputs[0];
    NodeId target = *successors_[parent.index];
    auto* copy = std::get_if<Copy>(&graph_.nodes[target].op);
    if (copy == nullptr || uses_[parent.index] != 1 ||
        !IsSurelyFolder(graph_, target, run->working_dir, facts_) ||
        !Changes(*command, target, *copy)) {
      return;
    }
    if (command->is_chown) {
      std::pair<std::string, std::string> ids =
          absl::StrSplit(command->value, ':');
      copy->owner = {ids.first, ids.second, true};
    } else {
      copy->chmod = absl::StrCat(copy->chmod, copy->chmod.empty() ? "" : ",",
                                 command->value);
    }
    successors_[id.index] = target;
    witnesses_.push_back(
        {Witness::Rule::kSetsMetadata, id, target, std::move(command->paths)});
  }

  // True if the command changes just what the copy places.
  bool Changes(const Command& command, NodeId id, const Copy& copy) const {
    if (!CanBeContinued(copy.chmod)) {
      return false;
    }
    std::optional<std::vector<Facts::Picked>> picks =
        ListPicks(graph_, graph_.nodes[id], facts_);
    if (!picks || picks->empty() || !AreOrdinary(*picks)) {
      return false;
    }
    std::optional<KnownTree> below =
        KnownTree::After(graph_, graph_.nodes[id].inputs[0], facts_);
    return AreNamedFiles(*picks) ? ChangesFiles(command, copy, *picks, below)
                                 : ChangesFolder(command, copy, *picks, below);
  }

  // Symlinks on the way lead the copy and the command to the same file.
  static bool ChangesFiles(const Command& command, const Copy& copy,
                           const std::vector<Facts::Picked>& picks,
                           const std::optional<KnownTree>& below) {
    bool into = absl::EndsWith(copy.destination, "/");
    std::set<std::string> placed;
    for (const Facts::Picked& picked : picks) {
      placed.insert(into ? CleanPath(copy.destination + picked.name)
                         : copy.destination);
    }
    if (command.recursive ||
        placed !=
            std::set<std::string>(command.paths.begin(), command.paths.end())) {
      return false;
    }
    if (into && !command.is_chown) {
      return true;
    }
    // A folder of that name would take the file inside; a folder that is
    // missing would be made.
    return below.has_value() &&
           std::all_of(
               placed.begin(), placed.end(), [&](const std::string& path) {
                 std::string name = path.substr(1);
                 return below->IsPlain(name) && !below->IsFolder(name) &&
                        below->IsFolder(std::string(DirName(name)));
               });
  }

  // A folder that is new, so that all below it is the copy's.
  static bool ChangesFolder(const Command& command, const Copy& copy,
                            const std::vector<Facts::Picked>& picks,
                            const std::optional<KnownTree>& below) {
    std::string path = CleanPath(copy.destination);
    std::string name = path.substr(1);
    return command.recursive && copy.sources.size() == 1 &&
           copy.files.empty() && picks[0].from_folder &&
           command.paths == std::vector<std::string>{path} &&
           below.has_value() && below->IsPlain(name) && !name.empty() &&
           below->Find(name) == nullptr &&
           below->IsFolder(std::string(DirName(name)));
  }

  BuildGraph graph_;  // Copies change as they take metadata over.
  const Facts& facts_;
  std::vector<int> uses_;
  Successors successors_;
  std::vector<Witness> witnesses_;
};

Rewrite FoldMetadata(const BuildGraph& graph, const Facts& facts) {
  return MetadataFolder(graph, facts).Fold();
}

}  // namespace

extern constinit const Pass kFoldMetadata = {
    .name = "fold-metadata",
    .summary = "lets a COPY set what the next chmod or chown changes",
    .run = FoldMetadata,
    .since = OptLevel::k2,
};

}  // namespace lamina::ir
