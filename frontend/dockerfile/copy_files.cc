#include "frontend/dockerfile/copy_files.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "frontend/dockerfile/arguments.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/heredoc.h"
#include "ir/patterns.h"

namespace lamina::frontend {
namespace {

using grammar::Heredoc;
using grammar::Statement;
using grammar::Word;

// The body belonging to the word `<<name`. The last one of that name counts.
Heredoc FindHeredoc(const Statement& statement, const Word& word,
                    const std::string& name) {
  Heredoc found = {.name = name, .expand = false, .range = word.range};
  for (const Heredoc& heredoc : statement.heredocs) {
    if (heredoc.name == name) {
      found = heredoc;
    }
  }
  if (found.strip_tabs) {
    found.body = StripTabs(found.body);
  }
  return found;
}

struct CopyWords {
  std::vector<Word> sources;
  std::vector<Heredoc> files;  // Tabs removed.
  Word destination;
};

CopyWords SplitWords(const Statement& statement) {
  CopyWords words;
  words.destination = statement.words.back();
  for (size_t i = 0; i + 1 < statement.words.size(); ++i) {
    const Word& word = statement.words[i];
    if (std::optional<std::string> name = HeredocName(word.text)) {
      words.files.push_back(FindHeredoc(statement, word, *name));
    } else {
      words.sources.push_back(word);
    }
  }
  return words;
}

bool IsOctalMode(absl::string_view mode) {
  return mode.find_first_not_of("01234567") == absl::string_view::npos &&
         std::stoull(absl::StrCat("0", mode.substr(0, 12)), nullptr, 8) <=
             07777;
}

// chmod(1) of BSD: [ugoa]*[+-=][rwxXstugo]*, several, separated by commas.
bool IsSymbolicMode(absl::string_view mode) {
  for (absl::string_view clause : absl::StrSplit(mode, ',')) {
    size_t begin = clause.find_first_not_of("ugoa");
    if (begin == absl::string_view::npos ||
        !absl::StrContains("+-=", clause.substr(begin, 1)) ||
        clause.find_first_not_of("+-=rwxXstugo", begin) !=
            absl::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool CheckMode(const std::string& mode, const Statement& statement,
               Stage& stage) {
  if (mode.empty()) {
    return true;
  }
  bool digit = absl::ascii_isdigit(mode[0]);
  if (digit ? IsOctalMode(mode) : IsSymbolicMode(mode)) {
    return true;
  }
  std::string message = absl::StrCat("invalid chmod parameter: '", mode, "'. ");
  absl::StrAppend(&message,
                  digit ? "it should be octal string and between 0 and 07777; "
                          "write a mode such as 755"
                        : "invalid syntax; write an octal mode such as 755, or "
                          "changes such as u+x");
  stage.ValueError("bad-flag", FindFlag(statement, "chmod")->value_range,
                   message);
  return stage.guesses();
}

ir::Ownership ReadOwner(absl::string_view chown) {
  ir::Ownership owner;
  size_t colon = chown.find(':');
  owner.user = std::string(chown.substr(0, colon));
  if (colon != absl::string_view::npos) {
    owner.group = std::string(chown.substr(colon + 1));
  }
  owner.given = !chown.empty();
  return owner;
}

// Absolute; a trailing slash where the destination can only be a folder.
std::string Destination(const std::string& written, const std::string& dir) {
  bool folder = written.empty() || written == "." ||
                absl::EndsWith(written, "/") || absl::EndsWith(written, "/.");
  std::string path = absl::StartsWith(written, "/")
                         ? CleanPath(written)
                         : CleanPath(absl::StrCat("/", dir, "/", written));
  return folder && path != "/" ? path + "/" : path;
}

std::optional<std::vector<ir::InlineFile>> InlineFiles(
    const std::vector<Heredoc>& heredocs, Stage& stage) {
  std::vector<ir::InlineFile> files;
  for (const Heredoc& heredoc : heredocs) {
    UsedNames names;
    absl::StatusOr<std::string> data =
        heredoc.expand ? ExpandHeredoc(heredoc.body,
                                       stage.VariablesFor(heredoc.body), &names)
                       : heredoc.body;
    if (!data.ok()) {
      absl::string_view message = data.status().message();
      stage.Error("bad-expansion", heredoc.range,
                  absl::StrCat(message, ExpansionHint(message)));
      return std::nullopt;
    }
    stage.Note(heredoc.range, "", *data, names);
    files.push_back({heredoc.name, *std::move(data)});
  }
  return files;
}

// `sources` as they are written, but expanded.
std::string History(const Statement& statement, const ir::Copy& copy,
                    const std::vector<std::string>& sources,
                    const std::string& chown, const std::string& destination) {
  std::string text = statement.keyword;
  if (copy.parents) {
    absl::StrAppend(&text, " --parents");
  }
  if (!chown.empty()) {
    absl::StrAppend(&text, " --chown=", chown);
  }
  if (!copy.chmod.empty()) {
    absl::StrAppend(&text, " --chmod=", copy.chmod);
  }
  for (const std::string& source : sources) {
    absl::StrAppend(&text, " ", source);
  }
  for (const ir::InlineFile& file : copy.files) {
    absl::StrAppend(&text, " <<", file.name);
  }
  return absl::StrCat(text, " ", destination, " # buildkit");
}

// Sets `copy.link`. BuildKit makes an ordinary copy of --link with --chmod, and
// so the tree must be that of an ordinary copy.
void SetLink(const Statement& statement, ir::Copy& copy, Stage& stage) {
  copy.link = FlagIsTrue(statement, "link") && copy.chmod.empty();
  if (FlagIsTrue(statement, "link") && !copy.chmod.empty()) {
    stage.Warning("link-ignored", FindFlag(statement, "link")->range,
                  "`--link` has no effect together with `--chmod`; remove one "
                  "of the two");
  }
}

// Input 0 is the stage's own tree.
uint32_t InputPosition(ir::NodeId node, std::vector<ir::NodeId>& inputs) {
  size_t at = std::find(inputs.begin(), inputs.end(), node) - inputs.begin();
  if (at == inputs.size()) {
    inputs.push_back(node);
  }
  return static_cast<uint32_t>(at + 1);
}

// The tree of a remote source and what is copied from it.
void TakeRemote(const ir::Op& op, ir::NodeId node, size_t source,
                std::vector<ir::NodeId>& inputs, ir::Copy& copy) {
  const auto* file = std::get_if<ir::RemoteFile>(&op);
  copy.sources[source] =
      file != nullptr ? ir::EscapeWildcards(file->name) : "/";
  copy.source_inputs[source] = InputPosition(node, inputs);
}

// Where the sources of `copy` come from; false if that was reported.
bool FindInputs(const Statement& statement, const CopyWords& words,
                const std::vector<std::optional<ir::Op>>& remotes, Stage& stage,
                ir::Copy& copy, std::vector<ir::NodeId>& inputs) {
  std::vector<OriginName> from = OriginNames(statement);
  if (!from.empty()) {
    std::optional<Source> source = stage.FindSource(from[0], "");
    if (!source.has_value()) {
      return false;
    }
    if (!copy.sources.empty()) {
      inputs = {source->node};
    }
    copy.preserve_owner = !source->is_context && !copy.owner.given;
    return true;
  }
  copy.source_inputs.resize(copy.sources.size());
  bool fetches = false;
  for (size_t i = 0; i < copy.sources.size(); ++i) {
    if (remotes[i].has_value()) {
      fetches = true;
      TakeRemote(*remotes[i], stage.Remote(*remotes[i], words.sources[i].range),
                 i, inputs, copy);
    } else {
      copy.source_inputs[i] = InputPosition(stage.Context().node, inputs);
    }
  }
  if (!fetches) {
    copy.source_inputs.clear();
  }
  return true;
}

}  // namespace

std::optional<std::string> ExpandFlag(const Statement& statement,
                                      absl::string_view name, Stage& stage) {
  const grammar::Flag* flag = FindFlag(statement, name);
  return flag == nullptr ? "" : stage.Expand(*flag->value, flag->value_range);
}

void CheckCopy(const Statement& statement, Diagnostics& diagnostics) {
  const std::string& keyword = statement.keyword;
  if (statement.words.size() < 2) {
    diagnostics.Error(
        "bad-arguments", ArgumentRange(statement),
        absl::StrCat(keyword,
                     " requires at least two arguments, but only one was "
                     "provided. Destination could not be determined; write `",
                     keyword, " SOURCE DESTINATION`"));
    return;
  }
  const Word& destination = statement.words.back();
  if (HeredocName(destination.text).has_value()) {
    diagnostics.Error(
        "bad-arguments", destination.range,
        absl::StrCat(keyword,
                     " cannot accept a heredoc as a destination; write the "
                     "destination behind it"));
  }
}

void DescribeCopy(const Statement& statement, Json& object) {
  CopyWords words = SplitWords(statement);
  object.Set("sources", Json::Strings(WordTexts(words.sources)));
  object.Set("destination", words.destination.text);
  if (words.files.empty()) {
    return;
  }
  Json files = Json::Array();
  for (const Heredoc& heredoc : words.files) {
    Json file = Json::Object();
    file.Set("name", heredoc.name);
    file.Set("data", heredoc.body);
    file.Set("expand", heredoc.expand);
    files.Append(std::move(file));
  }
  object.Set("files", std::move(files));
}

void LowerCopy(const Statement& statement, CopyRules& rules, Stage& stage) {
  CopyWords words = SplitWords(statement);
  std::optional<std::vector<std::string>> sources =
      stage.ExpandAll(words.sources);
  std::optional<std::string> destination = stage.Expand(words.destination);
  std::optional<std::string> chown = ExpandFlag(statement, "chown", stage);
  std::optional<std::string> chmod = ExpandFlag(statement, "chmod", stage);
  std::optional<std::vector<ir::InlineFile>> files =
      InlineFiles(words.files, stage);
  if (!sources || !destination || !chown || !chmod || !files ||
      !CheckMode(*chmod, statement, stage)) {
    return;
  }
  std::vector<std::optional<ir::Op>> remotes(sources->size());
  for (size_t i = 0; i < sources->size(); ++i) {
    if (!rules.Accept((*sources)[i], words.sources[i].range, remotes[i])) {
      return;
    }
  }
  ir::Copy copy = {
      .sources = *sources,
      .files = *std::move(files),
      .destination = Destination(*destination, stage.config().working_dir),
      .owner = ReadOwner(*chown),
      .chmod = *chmod,
      .unpack = rules.unpack,
      .unpack_remote = rules.unpack_remote,
      .parents = FlagIsTrue(statement, "parents"),
      .exclude = FlagList(statement, "exclude")};
  SetLink(statement, copy, stage);
  std::vector<ir::NodeId> inputs;
  if (!FindInputs(statement, words, remotes, stage, copy, inputs)) {
    return;
  }
  std::string created_by =
      History(statement, copy, *sources, *chown, *destination);
  ir::Places places;
  for (const Word& word : words.sources) {
    places.ranges.push_back(word.range);
  }
  stage.CommitStep(statement, std::move(copy), inputs, std::move(created_by),
                   std::move(places));
}

}  // namespace lamina::frontend
