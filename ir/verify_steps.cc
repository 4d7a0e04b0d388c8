#include "ir/verify_steps.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"

namespace lamina::ir {
namespace {

absl::Status Require(bool holds, absl::string_view what) {
  return holds ? absl::OkStatus() : absl::InternalError(what);
}

// `chmod [-R] VALUE PATH...` as words.
struct Words {
  std::string program;
  bool recursive = false;
  std::string value;
  std::vector<std::string> paths;
};

Words ReadWords(const Run& run) {
  std::vector<std::string> words = run.args;
  if (words.size() == 3 && words[1] == "-c") {
    words =
        absl::StrSplit(run.args[2], absl::ByAnyChar(" \t"), absl::SkipEmpty());
  }
  Words read;
  size_t at = 0;
  auto next = [&] { return at < words.size() ? words[at++] : ""; };
  read.program = next();
  read.value = next();
  read.recursive = read.value == "-R";
  read.value = read.recursive ? next() : read.value;
  while (at < words.size()) {
    std::string path = next();
    read.paths.push_back(
        CleanPath(absl::StartsWith(path, "/")
                      ? path
                      : absl::StrCat(run.working_dir, "/", path)));
  }
  return read;
}

// What one chmod(1) or --chmod makes of permission bits; `mask` are the bits
// that a change without a class leaves alone. Nothing for other bits.
std::optional<uint32_t> Chmod(const std::string& change, uint32_t mode,
                              bool is_folder, uint32_t mask) {
  if (change.find_first_not_of("01234567") == std::string::npos) {
    mode = 0;
    for (char digit : change) {
      mode = mode * 8 + static_cast<uint32_t>(digit - '0');
    }
    return mode < 01000 ? std::optional(mode) : std::nullopt;
  }
  for (absl::string_view clause : absl::StrSplit(change, ',')) {
    size_t at = clause.find_first_not_of("ugoa");
    if (at == absl::string_view::npos) {
      return std::nullopt;
    }
    uint32_t who = at == 0 ? 0777 & ~mask : 0;
    for (char c : clause.substr(0, at)) {
      who |= c == 'u' ? 0700 : c == 'g' ? 0070 : c == 'o' ? 0007 : 0777;
    }
    uint32_t bits = 0;
    for (char c : clause.substr(at + 1)) {
      if (!absl::StrContains("rwxX", std::string(1, c))) {
        return std::nullopt;
      }
      bool sets_x = c == 'x' || is_folder || (mode & 0111) != 0;
      bits |= c == 'r' ? 0444 : c == 'w' ? 0222 : sets_x ? 0111 : 0;
    }
    mode = clause[at] == '+'   ? mode | (bits & who)
           : clause[at] == '-' ? mode & ~(bits & who)
                               : (mode & ~who) | (bits & who);
  }
  return mode;
}

// The names that a copy of single files gives them.
std::set<std::string> NamesOf(const Copy& copy) {
  std::set<std::string> names;
  for (const std::string& source : copy.sources) {
    names.emplace(BaseName(source));
  }
  for (const InlineFile& file : copy.files) {
    names.insert(file.name);
  }
  return names;
}

}  // namespace

absl::Status CheckOverwritten(const BuildGraph& graph, const Witness& witness) {
  const Node& node = graph.nodes[witness.node];
  const Node& other = graph.nodes[witness.other];
  const auto* copy = std::get_if<Copy>(&node.op);
  const auto* over = std::get_if<Copy>(&other.op);
  RETURN_IF_ERROR(Require(copy != nullptr && over != nullptr, "it is no COPY"));
  for (const Copy* either : {copy, over}) {
    RETURN_IF_ERROR(
        Require(!either->link && !either->unpack && !either->parents,
                "a COPY with rules of its own"));
  }
  RETURN_IF_ERROR(Require(copy->destination == over->destination &&
                              copy->owner == over->owner &&
                              copy->chmod == over->chmod,
                          "the next COPY writes elsewhere, or otherwise"));
  if (*copy == *over && node.inputs.back() == other.inputs.back()) {
    return absl::OkStatus();
  }
  std::set<std::string> names = NamesOf(*copy);
  std::set<std::string> later = NamesOf(*over);
  bool one_name = names.size() == 1 && later.size() == 1 &&
                  !absl::EndsWith(copy->destination, "/");
  return Require(one_name || std::includes(later.begin(), later.end(),
                                           names.begin(), names.end()),
                 "the next COPY leaves a file of it");
}

absl::Status CheckSetsMetadata(const BuildGraph& graph,
                               const Witness& witness) {
  const auto* run = std::get_if<Run>(&graph.nodes[witness.node].op);
  const auto* copy = std::get_if<Copy>(&graph.nodes[witness.other].op);
  RETURN_IF_ERROR(
      Require(run != nullptr && copy != nullptr, "it is no RUN after a COPY"));
  RETURN_IF_ERROR(Require((run->user.empty() || run->user[0] == '0') &&
                              run->mounts.empty() && run->scripts.empty() &&
                              !copy->link && !copy->unpack && !copy->parents,
                          "it has other effects"));
  Words words = ReadWords(*run);
  std::set<std::string> named(words.paths.begin(), words.paths.end());
  bool into = absl::EndsWith(copy->destination, "/") && !words.recursive;
  std::set<std::string> placed;
  for (const std::string& name : NamesOf(*copy)) {
    placed.insert(CleanPath(into ? JoinPath(copy->destination, name)
                                 : copy->destination));
  }
  return Require(!named.empty() && named == placed, "it changes other files");
}

absl::Status TakeMetadata(const std::vector<Run>& commands, const Node& node,
                          Node& expected) {
  auto* old = std::get_if<Copy>(&expected.op);
  const auto* copy = std::get_if<Copy>(&node.op);
  RETURN_IF_ERROR(Require(old != nullptr && copy != nullptr, "it is no COPY"));
  Ownership owner = old->owner;
  std::vector<std::string> modes;
  for (const Run& run : commands) {
    Words words = ReadWords(run);
    std::pair<std::string, std::string> ids = absl::StrSplit(words.value, ':');
    if (words.program == "chmod") {
      modes.push_back(words.value);
    } else {
      owner = {ids.first, ids.second, true};
    }
  }
  RETURN_IF_ERROR(Require(copy->owner == owner, "it sets another owner"));
  // Every mode of a file, then every mode of a folder.
  for (uint32_t bits = 0; bits < 2 * 01000; ++bits) {
    uint32_t mode = bits & 0777;
    bool is_folder = bits >= 01000;
    auto given = copy->chmod.empty() ? std::optional(mode)
                                     : Chmod(copy->chmod, mode, is_folder, 0);
    auto wanted = old->chmod.empty() ? std::optional(mode)
                                     : Chmod(old->chmod, mode, is_folder, 0);
    for (const std::string& change : modes) {
      wanted = wanted ? Chmod(change, *wanted, is_folder, 0022) : wanted;
    }
    RETURN_IF_ERROR(Require(wanted && given == wanted, "it sets another mode"));
  }
  // An octal mode would go to the folders that the copy makes.
  RETURN_IF_ERROR(
      Require(copy->chmod == old->chmod || !absl::ascii_isdigit(copy->chmod[0]),
              "it changes the folders on the way"));
  old->owner = copy->owner;
  old->chmod = copy->chmod;
  return absl::OkStatus();
}

absl::Status CheckSameSandbox(const BuildGraph& graph, NodeId node,
                              NodeId parent) {
  const Node& second = graph.nodes[node];
  const Node& first = graph.nodes[parent];
  const auto* b = std::get_if<Run>(&second.op);
  const auto* a = std::get_if<Run>(&first.op);
  RETURN_IF_ERROR(
      Require(a != nullptr && b != nullptr && second.inputs[0] == parent,
              "the two are no RUNs one after the other"));
  int readers = 0;
  for (const Node& reader : graph.nodes) {
    readers += std::count(reader.inputs.begin(), reader.inputs.end(), parent);
  }
  for (const Target& target : graph.targets) {
    readers += target.root == parent ? 1 : 0;
  }
  RETURN_IF_ERROR(
      Require(readers == 1, "somebody else reads the tree between"));
  // All but argv, environment, user and working directory.
  Run like = *b;
  like.args = a->args;
  like.env = a->env;
  like.hidden_env = a->hidden_env;
  like.user = a->user;
  like.working_dir = a->working_dir;
  like.scripts = a->scripts;
  RETURN_IF_ERROR(Require(like == *a && first.stage == second.stage,
                          "the two have other sandboxes"));
  RETURN_IF_ERROR(Require(second.inputs.size() == 1 && first.inputs.size() == 1,
                          "one of the two sees another tree"));
  for (const Mount& mount : a->mounts) {
    RETURN_IF_ERROR(Require(mount.sharing != Mount::Sharing::kLocked,
                            "a lock would be held for longer"));
  }
  return absl::OkStatus();
}

}  // namespace lamina::ir
