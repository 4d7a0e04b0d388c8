#include "backend/vcs_history.h"

#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "backend/remote/child_process.h"
#include "base/digest.h"
#include "base/files.h"

namespace lamina::backend {
namespace {

constexpr int kCommits = 200;
constexpr size_t kFilesOfCommit = 1000;  // A larger one says nothing of use.

// The folder `.git` of the repository that `folder` is in, or nothing. A
// worktree's `.git` is a file that names it.
std::optional<std::string> FindRepository(std::string folder) {
  char* real = realpath(folder.c_str(), nullptr);
  if (real == nullptr) {
    return std::nullopt;
  }
  folder = real;
  free(real);
  while (true) {
    std::string git = JoinPath(folder, ".git");
    if (FileExists(JoinPath(git, "HEAD"))) {
      return git;
    }
    absl::StatusOr<std::string> text = ReadFile(git, 4096);
    absl::string_view target = text.ok() ? absl::string_view(*text) : "";
    if (absl::ConsumePrefix(&target, "gitdir: ")) {
      return std::string(absl::StripAsciiWhitespace(target));
    }
    size_t slash = folder.rfind('/');
    if (slash == std::string::npos || folder == "/") {
      return std::nullopt;
    }
    folder = slash == 0 ? "/" : folder.substr(0, slash);
  }
}

// What identifies the commit that is checked out, without starting git; empty
// when it cannot be told (packed references).
std::string HeadCommit(const std::string& git) {
  absl::StatusOr<std::string> head = ReadFile(JoinPath(git, "HEAD"), 4096);
  if (!head.ok()) {
    return "";
  }
  absl::string_view text = absl::StripAsciiWhitespace(*head);
  if (!absl::ConsumePrefix(&text, "ref: ")) {
    return std::string(text);
  }
  absl::StatusOr<std::string> commit =
      ReadFile(JoinPath(git, std::string(text)), 4096);
  return commit.ok() ? std::string(absl::StripAsciiWhitespace(*commit)) : "";
}

std::vector<std::string> GitEnvironment() {
  std::vector<std::string> env = {"GIT_OPTIONAL_LOCKS=0",
                                  "GIT_CONFIG_NOSYSTEM=1",
                                  "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"};
  for (const char* name : {"PATH", "HOME"}) {
    if (const char* value = getenv(name)) {
      env.push_back(absl::StrCat(name, "=", value));
    }
  }
  return env;
}

// Commits parted by a byte 1, files by zero bytes.
std::optional<std::string> AskGit(const std::string& folder) {
  ChildProcess git;
  // The context is not trusted: nothing of its configuration may start
  // programs.
  git.args = {"git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=",
              "-C", folder, "log", "-n", absl::StrCat(kCommits),
              "--no-merges", "--no-renames", "--no-ext-diff", "--no-textconv",
              "--name-only", "--relative", "-z", "--format=%x01", "--", "."};
  git.env = GitEnvironment();
  git.most_seconds = 5;
  absl::StatusOr<ChildResult> result = RunChild(git);
  if (!result.ok() || result->exit_code != 0) {
    return std::nullopt;
  }
  return std::move(result->output);
}

std::vector<std::vector<std::string>> ReadLog(absl::string_view log) {
  std::vector<std::vector<std::string>> commits;
  for (absl::string_view part : absl::StrSplit(log, '\x01')) {
    std::vector<std::string> files;
    for (absl::string_view file :
         absl::StrSplit(part, absl::ByAnyChar(absl::string_view("\0\n", 2)))) {
      file = absl::StripAsciiWhitespace(file);
      if (!file.empty()) {
        files.emplace_back(file);
      }
    }
    if (!files.empty() && files.size() <= kFilesOfCommit) {
      commits.push_back(std::move(files));
    }
  }
  return commits;
}

}  // namespace

std::vector<std::vector<std::string>> RecentCommits(const std::string& folder,
                                                    Store* store) {
  std::optional<std::string> repository = FindRepository(folder);
  if (!repository.has_value()) {
    return {};
  }
  std::string head = HeadCommit(*repository);
  Digest key = Sha256(
      absl::StrCat("lamina git log 1\n", head, "\n", *repository, "\n", folder));
  if (store != nullptr && !head.empty()) {
    absl::StatusOr<std::optional<std::string>> known = store->FindLayout(key);
    if (known.ok() && known->has_value()) {
      return ReadLog(**known);
    }
  }
  std::optional<std::string> log = AskGit(folder);
  if (!log.has_value()) {
    return {};
  }
  // SQLite text ends at a zero byte: parted by line ends there.
  if (store != nullptr && !head.empty()) {
    std::string text = *log;
    for (char& c : text) {
      c = c == '\0' ? '\n' : c;
    }
    store->AddLayout(key, text).IgnoreError();
  }
  return ReadLog(*log);
}

}  // namespace lamina::backend
