#include "backend/remote/git_repository.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "base/text.h"
#include "base/url.h"
#include "ir/remote_source.h"

namespace lamina::backend {
namespace {

constexpr absl::string_view kProtocols = "https:http:ssh:git";
constexpr absl::string_view kPeeled = "^{}";

std::string Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

// The lines "DIGITS\tNAME" of ls-remote.
std::map<std::string, std::string> ReadRefs(absl::string_view text) {
  std::map<std::string, std::string> refs;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
    if (fields.size() == 2 && ir::IsWholeCommit(fields[0])) {
      refs[std::string(fields[1])] = std::string(fields[0]);
    }
  }
  return refs;
}

// The last words of git, on one line.
std::string LastLines(const std::string& errors) {
  std::vector<std::string> kept;
  for (absl::string_view line : absl::StrSplit(errors, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    for (absl::string_view prefix : {"fatal: ", "error: ", "remote: "}) {
      if (absl::ConsumePrefix(&line, prefix)) {
        kept.push_back(EscapeControls(line.substr(0, 300)));
      }
    }
  }
  if (kept.size() > 3) {
    kept.erase(kept.begin(), kept.end() - 3);
  }
  return kept.empty() ? "git said nothing" : absl::StrJoin(kept, "; ");
}

// Removes .git at the top, and what submodules have of that name.
absl::Status RemoveGitFolders(const std::string& path) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator item(path, error), end;
       !error && item != end; item.increment(error)) {
    if (item->path().filename() == ".git") {
      found.push_back(item->path().string());
      item.disable_recursion_pending();
    }
  }
  if (error) {
    return ErrnoError(error.value(), absl::StrCat("list ", path));
  }
  for (const std::string& folder : found) {
    RETURN_IF_ERROR(RemoveTree(folder));
  }
  return absl::OkStatus();
}

}  // namespace

// The authorization is for one host, and for the submodules there, too.
absl::Status GitRepository::WriteSecretConfig() {
  if (options_.authorization.empty() || config_.valid()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Url url, Url::Parse(url_));
  config_ = UniqueFd(memfd_create("git-config", MFD_CLOEXEC));
  if (!config_.valid()) {
    return ErrnoError("make a memory file");
  }
  std::string value = absl::StrReplaceAll(options_.authorization,
                                          {{"\\", "\\\\"}, {"\"", "\\\""}});
  return WriteAll(
      config_.get(),
      absl::StrCat("[http \"", url.scheme, "://", url.Authority(),
                   "/\"]\n extraHeader = \"Authorization: ", value, "\"\n"));
}

absl::StatusOr<ChildProcess> GitRepository::Command(
    const std::vector<std::string>& args, absl::string_view protocols) {
  RETURN_IF_ERROR(WriteSecretConfig());
  std::string config =
      config_.valid() ? absl::StrCat("/proc/", getpid(), "/fd/", config_.get())
                      : "/dev/null";
  // The URL comes as configuration: it is in no argument that others can see.
  const std::pair<absl::string_view, std::string> kSettings[] = {
      {"remote.origin.url", url_},    {"core.hooksPath", "/dev/null"},
      {"core.fsmonitor", "false"},    {"core.autocrlf", "false"},
      {"core.symlinks", "true"},      {"gc.auto", "0"},
      {"maintenance.auto", "false"},  {"advice.detachedHead", "false"},
      {"http.lowSpeedLimit", "1000"}, {"http.lowSpeedTime", "60"},
      {"safe.bareRepository", "all"},
  };
  ChildProcess process;
  process.most_seconds = options_.most_seconds;
  process.cancel = options_.cancel;
  process.args = {"git"};
  process.args.insert(process.args.end(), args.begin(), args.end());
  process.env = {
      absl::StrCat("PATH=", Variable("PATH")),
      "HOME=/dev/null",
      "LC_ALL=C",
      "GIT_TERMINAL_PROMPT=0",
      "GIT_CONFIG_NOSYSTEM=1",
      absl::StrCat("GIT_CONFIG_GLOBAL=", config),
      absl::StrCat("GIT_ALLOW_PROTOCOL=",
                   protocols.empty() ? kProtocols : protocols),
      "GIT_TEMPLATE_DIR=",
      "GIT_LFS_SKIP_SMUDGE=1",
      "GIT_SSH_COMMAND=ssh -oBatchMode=yes -oClearAllForwardings=yes",
      absl::StrCat("GIT_CONFIG_COUNT=", std::size(kSettings))};
  for (size_t i = 0; i < std::size(kSettings); ++i) {
    process.env.push_back(
        absl::StrCat("GIT_CONFIG_KEY_", i, "=", kSettings[i].first));
    process.env.push_back(
        absl::StrCat("GIT_CONFIG_VALUE_", i, "=", kSettings[i].second));
  }
  if (!options_.agent.empty()) {
    process.env.push_back(absl::StrCat("SSH_AUTH_SOCK=", options_.agent));
  }
  for (const char* name :
       {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
        "no_proxy", "NO_PROXY", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}) {
    if (std::string value = Variable(name); !value.empty()) {
      process.env.push_back(absl::StrCat(name, "=", value));
    }
  }
  if (std::string ca = Variable("SSL_CERT_FILE"); !ca.empty()) {
    process.env.push_back(absl::StrCat("GIT_SSL_CAINFO=", ca));
  }
  return process;
}

absl::StatusOr<ChildResult> GitRepository::Run(
    const std::vector<std::string>& args, absl::string_view protocols) {
  ASSIGN_OR_RETURN(ChildProcess process, Command(args, protocols));
  absl::StatusOr<ChildResult> result = RunChild(process);
  if (absl::IsNotFound(result.status())) {
    return absl::FailedPreconditionError(
        "git repositories need the program git; install it");
  }
  return result;
}

absl::StatusOr<std::string> GitRepository::Ask(
    const std::vector<std::string>& args, absl::string_view doing,
    absl::string_view protocols) {
  ASSIGN_OR_RETURN(ChildResult result, Run(args, protocols));
  if (result.exit_code != 0) {
    return Explain(result.errors, doing);
  }
  return std::move(result.output);
}

absl::Status GitRepository::Explain(const std::string& errors,
                                    absl::string_view doing) {
  struct Hint {
    absl::string_view sign;
    absl::string_view hint;
  };
  static constexpr Hint kHints[] = {
      {"could not read Username",
       "; pass a token with `--secret id=GIT_AUTH_TOKEN,src=FILE`, or check "
       "the name of the repository"},
      {"Authentication failed",
       "; the token of the secret GIT_AUTH_TOKEN is not accepted"},
      {"Permission denied (publickey",
       "; pass an ssh agent that has the key with `--ssh default`"},
      {"Host key verification failed",
       "; connect with ssh once, so that the host is in ~/.ssh/known_hosts"},
      {"Could not resolve host",
       "; check the name of the host, and the network of this machine"},
      {"unable to look up",
       "; check the name of the host, and the network of this machine"},
      {"Connection refused", "; see whether the server is there"},
      {"transport", "; only https, http, ssh and git are used"},
      {"not found", "; check the name of the repository"},
      {"does not appear to be a git repository",
       "; check the name of the repository"},
  };
  std::string text = LastLines(errors);
  absl::string_view advice;
  for (const Hint& hint : kHints) {
    if (advice.empty() && absl::StrContains(errors, hint.sign)) {
      advice = hint.hint;
    }
  }
  return absl::UnavailableError(absl::StrCat(
      "cannot ", doing, " ", HidePassword(url_), ": ",
      absl::StrReplaceAll(text, {{url_, HidePassword(url_)}}), advice));
}

absl::StatusOr<GitRef> GitRepository::Resolve(const std::string& ref) {
  if (ir::IsWholeCommit(ref)) {
    return GitRef{.commit = ref};
  }
  std::string name = ref.empty() ? "HEAD" : ref;
  std::vector<std::string> names = {name};
  if (!ref.empty() && !absl::StartsWith(ref, "refs/")) {
    names = {absl::StrCat("refs/heads/", name),
             absl::StrCat("refs/tags/", name), name};
  }
  std::vector<std::string> args = {"ls-remote", "--", "origin"};
  for (const std::string& one : names) {
    args.push_back(one);
    args.push_back(absl::StrCat(one, kPeeled));
  }
  ASSIGN_OR_RETURN(std::string text, Ask(args, "ask"));
  std::map<std::string, std::string> refs = ReadRefs(text);
  for (const std::string& one : names) {
    auto found = refs.find(one);
    if (found == refs.end()) {
      continue;
    }
    GitRef result = {.name = one, .commit = found->second};
    auto peeled = refs.find(absl::StrCat(one, kPeeled));
    if (peeled != refs.end()) {
      result.tag = std::exchange(result.commit, peeled->second);
    }
    return result;
  }
  return Unknown(ref);
}

absl::Status GitRepository::Unknown(const std::string& ref) {
  if (ref.empty()) {
    return absl::NotFoundError(
        absl::StrCat(HidePassword(url_),
                     " has no default branch; name a branch, a tag or "
                     "a commit behind `#`"));
  }
  ASSIGN_OR_RETURN(
      std::string text,
      Ask({"ls-remote", "--heads", "--tags", "--refs", "--", "origin"}, "ask"));
  std::vector<std::string> names;
  for (const auto& [name, commit] : ReadRefs(text)) {
    absl::string_view word = name;
    if (absl::ConsumePrefix(&word, "refs/heads/") ||
        absl::ConsumePrefix(&word, "refs/tags/")) {
      names.emplace_back(word);
    }
  }
  std::string hint = "; write all 40 digits of a commit";
  absl::string_view wanted = ref;
  if (!absl::ConsumePrefix(&wanted, "refs/heads/")) {
    absl::ConsumePrefix(&wanted, "refs/tags/");
  }
  if (std::optional<std::string> near = Closest(wanted, names)) {
    hint = absl::StrCat("; did you mean `", *near, "`?");
  } else if (!names.empty() && names.size() <= 8) {
    hint =
        absl::StrCat("; it has ", EscapeControls(absl::StrJoin(names, ", ")));
  }
  return absl::NotFoundError(absl::StrCat(
      HidePassword(url_), " has no branch or tag `", ref, "`", hint));
}

absl::StatusOr<std::optional<std::string>> GitRepository::FindCommit(
    const std::string& commit) {
  if (!FileExists(JoinPath(bare_, "HEAD"))) {
    return std::optional<std::string>();
  }
  // Every complete fetch leaves a ref; objects without one may lack their
  // trees, as of a fetch that was killed.
  ASSIGN_OR_RETURN(std::string text,
                   Ask({"-C", bare_, "for-each-ref",
                        "--format=%(objectname) %(refname)", "refs/lamina/"},
                       "read the copy of"));
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    if (fields.size() == 2 &&
        (absl::StartsWith(fields[0], commit) ||
         absl::StartsWith(absl::StripPrefix(fields[1], "refs/lamina/"),
                          commit))) {
      return std::optional<std::string>(std::string(fields[0]));
    }
  }
  return std::optional<std::string>();
}

absl::Status GitRepository::MakeBare() {
  if (FileExists(JoinPath(bare_, "HEAD"))) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(MakeDirs(bare_, 0700));
  return Ask({"init", "-q", "--bare", "--", bare_}, "make a copy of").status();
}

absl::Status GitRepository::Fetch(const GitRef& ref) {
  RETURN_IF_ERROR(MakeBare());
  // The commit itself first: a branch may have moved on since it was asked.
  std::string wanted = ref.tag.empty() ? ref.commit : ref.tag;
  absl::StatusOr<std::string> fetched = absl::UnknownError("");
  std::vector<std::vector<std::string>> ways = {
      {"-C", bare_, "fetch", "-q", "--depth=1", "--no-tags",
       "--no-recurse-submodules", "--no-write-fetch-head", "--", "origin",
       ref.commit}};
  if (!ref.name.empty()) {
    ways.push_back({"-C", bare_, "fetch", "-q", "--depth=1", "--no-tags",
                    "--no-recurse-submodules", "--no-write-fetch-head", "--",
                    "origin", ref.name});
  }
  // A server that gives no single commits gives all that it names.
  ways.push_back({"-C", bare_, "fetch", "-q", "--no-tags", "--update-shallow",
                  "--no-recurse-submodules", "--no-write-fetch-head", "--",
                  "origin", "+refs/heads/*:refs/all/heads/*",
                  "+refs/tags/*:refs/all/tags/*"});
  for (const std::vector<std::string>& way : ways) {
    fetched = Ask(way, "fetch from");
    if (absl::IsCancelled(fetched.status()) ||
        absl::IsDeadlineExceeded(fetched.status())) {
      return fetched.status();
    }
    ASSIGN_OR_RETURN(ChildResult there,
                     Run({"-C", bare_, "rev-parse", "-q", "--verify",
                          absl::StrCat(ref.commit, "^{commit}")}));
    if (there.exit_code == 0) {
      return Ask({"-C", bare_, "update-ref",
                  absl::StrCat("refs/lamina/", wanted),
                  std::string(absl::StripAsciiWhitespace(there.output))},
                 "keep a commit of")
          .status();
    }
  }
  RETURN_IF_ERROR(fetched.status());
  return absl::NotFoundError(absl::StrCat(HidePassword(url_), " has no commit ",
                                          ref.commit,
                                          " in its branches and tags"));
}

absl::StatusOr<int64_t> GitRepository::CommitTime(const std::string& commit) {
  ASSIGN_OR_RETURN(std::string text,
                   Ask({"-C", bare_, "show", "-s", "--format=%ct", commit},
                       "read the copy of"));
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &seconds)) {
    return absl::DataLossError(absl::StrCat("commit ", commit, " has no time"));
  }
  return seconds;
}

absl::Status GitRepository::CheckOut(const GitRef& ref, const ir::GitTree& tree,
                                     const std::string& path) {
  std::string branch = ref.name;
  bool is_branch = absl::StartsWith(branch, "refs/heads/");
  branch = branch.substr(is_branch ? strlen("refs/heads/") : 0);
  RETURN_IF_ERROR(
      Ask({"init", "-q", "--", path}, "make a working copy of").status());
  RETURN_IF_ERROR(Ask({"-C", path, "fetch", "-q", "--depth=1", "--no-tags",
                       "--no-recurse-submodules", "--", bare_, ref.commit},
                      "read the copy of", "file")
                      .status());
  std::vector<std::string> checkout = {"-C", path, "checkout", "-q", "--force"};
  if (is_branch) {
    checkout.insert(checkout.end(), {"-B", branch});
  } else {
    checkout.push_back("--detach");
  }
  checkout.push_back(ref.commit);
  RETURN_IF_ERROR(Ask(checkout, "check out").status());
  if (!tree.skip_submodules && FileExists(JoinPath(path, ".gitmodules"))) {
    RETURN_IF_ERROR(Ask({"-C", path, "submodule", "--quiet", "update", "--init",
                         "--recursive", "--depth=1"},
                        "fetch the submodules of")
                        .status());
  }
  return tree.keep_git && tree.subdir.empty()
             ? TidyGitFolder(JoinPath(path, ".git"))
             : RemoveGitFolders(path);
}

// What is in .git depends on the repository alone: no logs, no times, and no
// path of this machine.
absl::Status GitRepository::TidyGitFolder(const std::string& folder) {
  for (const char* name : {"FETCH_HEAD", "ORIG_HEAD", "logs", "index"}) {
    RETURN_IF_ERROR(RemoveTree(JoinPath(folder, name)));
  }
  std::string shown = url_;
  if (absl::StatusOr<Url> url = Url::Parse(url_); url.ok()) {
    url->user.clear();
    shown = url->ToString();
  }
  return Ask({"config", "--file", JoinPath(folder, "config"),
              "remote.origin.url", shown},
             "describe")
      .status();
}

}  // namespace lamina::backend
